// Package export hands out what the platform recorded: the bundle that an auditor checks without trusting anybody, and
// records as lines for other programs. It reads one consistent state, also while the platform serves, and writes nothing
// but its output. What it keeps in memory grows with the number of sessions, devices and staff, not of records.
package export

import (
	"context"
	"iter"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// Log is the log of a platform.
type Log interface {
	Entries() iter.Seq2[store.LoggedEntry, error]
	Checkpoints() iter.Seq2[[]byte, error]
	Heads() ([]audit.Head, error)
	Keys() ([]string, error)
	Statements() (audit.Statements, error)
	SignedHeads() iter.Seq2[store.SignedHead, error]
	Quarantined() iter.Seq2[store.Quarantined, error]
}

// Office is what a platform's database says beside the log. Tx reads the same state.
type Office interface {
	Devices() iter.Seq2[store.Device, error]
	Staff() iter.Seq2[stead.Staff, error]
	Notices() iter.Seq2[store.Notice, error]
	Tx() (store.Tx, error)
}

// Source is a platform's data in one consistent state; sqlite.Evidence is one.
type Source interface {
	Log
	Office
}

// Options says what of it to hand out.
type Options struct {
	Since    time.Time     // texts of older records are withheld, and lines of them not written; zero for all
	Redact   bool          // withhold every text, and who is who
	Texts    ledger.Opener // opens texts; nil only with Redact
	Tool     string        // name and version of the program
	Progress func(n int64) // called now and then with the records read; may be nil
}

// withheld is why texts of a record are not handed out, "" when they are.
func (o Options) withheld(wallMS int64, redacted, since string) string {
	switch {
	case o.Redact:
		return redacted
	case o.old(wallMS):
		return since
	}
	return ""
}

func (o Options) old(wallMS int64) bool { return !o.Since.IsZero() && wallMS < o.Since.UnixMilli() }

// progressEvery is how many records lie between two calls of Progress.
const progressEvery = 4096

// each calls do for every record with its place: the position in the log, the pending ones counted on from there.
func each(ctx context.Context, src Source, o Options, do func(place int64, e store.LoggedEntry) error) error {
	place := int64(0)
	for e, err := range src.Entries() {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = do(place, e)
		}
		if err != nil {
			return err
		}
		place++
		if o.Progress != nil && place%progressEvery == 0 {
			o.Progress(place)
		}
	}
	return nil
}

// opened is the texts of a record by name, and why those are missing that are not there.
func opened(tx store.Tx, o Options, e store.IntakeEntry, r audit.Record) (texts map[string]audit.Text, why string, err error) {
	list, state, err := ledger.OpenTexts(tx, o.Texts, e, r)
	texts = map[string]audit.Text{}
	for _, t := range list {
		texts[t.Name] = t
	}
	if state == ledger.TextsErased {
		return texts, erased, err
	}
	return texts, absent, err
}
