package export

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"

	"stead/internal/audit"
	"stead/internal/audit/bundle"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

const (
	redacted = bundle.WhyRedacted
	since    = bundle.WhySince
	erased   = bundle.WhyErased
	absent   = bundle.WhyAbsent
)

// bundler is one run of Bundle.
type bundler struct {
	ctx   context.Context
	src   Source
	tx    store.Tx
	o     Options
	out   *bundle.Writer
	facts *bundle.Facts
	m     bundle.Manifest
}

// Bundle writes the bundle of everything there is into w. It copies and does not judge: records that contradict each
// other come out as they are, for whoever verifies the bundle to see. Errors: stead.CodeLedgerUnusable when nothing was
// signed yet.
func Bundle(ctx context.Context, w io.Writer, src Source, o Options) (bundle.Manifest, error) {
	tx, err := src.Tx()
	if err != nil {
		return bundle.Manifest{}, err
	}
	b := &bundler{ctx: ctx, src: src, tx: tx, o: o, facts: bundle.NewFacts()}
	b.m = bundle.Manifest{Tool: o.Tool, MadeMS: time.Now().UnixMilli(), Redacted: o.Redact, Sessions: bundle.SessionCounts{Ended: map[string]int64{}}}
	if !o.Since.IsZero() {
		ms := o.Since.UnixMilli()
		b.m.SinceMS = &ms
	}
	if b.out, err = bundle.NewWriter(w); err != nil {
		return b.m, err
	}
	for _, step := range []func() error{b.log, b.records, b.heads, b.signed, b.quarantined, b.doubts, b.devices, b.staff, b.texts, b.sessions, b.notices} {
		if err := step(); err != nil {
			return b.m, err
		}
	}
	return b.m, b.out.Finish(b.m)
}

func (b *bundler) log() error {
	newest, err := b.tx.Checkpoint()
	if errors.Is(err, store.ErrNotFound) {
		return stead.Errorf(stead.CodeLedgerUnusable, "%v", audit.ErrNothingSigned)
	}
	if err != nil {
		return err
	}
	checkpoint, err := audit.ParseCheckpoint([]byte(newest.Note))
	if err != nil {
		return err
	}
	b.m.Origin, b.m.Size, b.m.Root = checkpoint.Origin, checkpoint.Size, hex.EncodeToString(checkpoint.Root[:])
	keys, err := b.src.Keys()
	if err != nil {
		return err
	}
	statements, err := b.src.Statements()
	if err != nil {
		return err
	}
	b.m.Statements = int64(len(statements.Notes))
	return b.out.Log([]byte(newest.Note), []byte(strings.Join(keys, "\n")+"\n"), statements.Notes, func() error {
		for note, err := range b.src.Checkpoints() {
			if err == nil {
				err = b.out.Entry(note)
			}
			if err != nil {
				return err
			}
			b.m.Checkpoints++
		}
		return nil
	})
}

// records copies the records and notes what they say.
func (b *bundler) records() error {
	err := each(b.ctx, b.src, b.o, func(place int64, e store.LoggedEntry) error {
		if r, err := audit.Decode(e.Envelope); err == nil {
			_ = b.facts.Take(place, r) // what contradicts itself is for the verifier to say
		}
		if e.Doubt != "" {
			b.m.Doubts++
		}
		if e.Position >= 0 {
			return b.out.Record(e.Envelope)
		}
		if b.m.Pending == 0 {
			if err := b.out.Pending(); err != nil {
				return err
			}
		}
		b.m.Pending++
		return b.out.Entry(e.Envelope)
	})
	if err == nil && b.m.Pending == 0 {
		err = b.out.Pending()
	}
	b.m.Chains, b.m.Sessions.Refused = int64(len(b.facts.Heads)), b.facts.Refused
	return err
}

func (b *bundler) heads() error {
	heads, err := b.src.Heads()
	if err != nil {
		return err
	}
	if err := b.out.View(bundle.Head{}); err != nil {
		return err
	}
	for _, h := range heads {
		err := b.out.Line(bundle.Head{Device: string(h.Device), Epoch: h.Epoch.String(), Seq: int64(h.Seq), Leaf: hex.EncodeToString(h.Leaf[:])}) //nolint:gosec // G115: stored as int64
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bundler) devices() error {
	if err := b.out.View(bundle.Device{}); err != nil {
		return err
	}
	for d, err := range b.src.Devices() {
		if err != nil {
			return err
		}
		id := audit.KeyID(d.PublicKey)
		line := bundle.Device{Device: string(d.ID), PublicKey: hex.EncodeToString(d.PublicKey), KeyID: hex.EncodeToString(id[:])}
		if err := b.out.Line(line.At(b.facts)); err != nil {
			return err
		}
		b.m.Devices++
	}
	return nil
}

func (b *bundler) staff() error {
	if err := b.out.View(bundle.Person{}); err != nil {
		return err
	}
	for s, err := range b.src.Staff() {
		if err != nil {
			return err
		}
		line := bundle.Person{Role: string(s.Role), Tier: int64(s.Tier), Privilege: s.Privilege, Disabled: s.Disabled}
		if !s.Pseudonym.IsZero() {
			p := s.Pseudonym.String()
			line.Person = &p
		}
		if !b.o.Redact {
			id := string(s.ID)
			line.ID = &id
		}
		if err := b.out.Line(line.At(b.facts)); err != nil {
			return err
		}
		b.m.Staff++
	}
	return nil
}

func (b *bundler) texts() error {
	if err := b.out.View(bundle.Texts{}); err != nil {
		return err
	}
	return each(b.ctx, b.src, b.o, func(place int64, e store.LoggedEntry) error {
		r, err := audit.Decode(e.Envelope)
		if err != nil || len(r.Commitments) == 0 {
			return nil //nolint:nilerr // what is no record has no texts
		}
		line := bundle.Texts{Place: place, Texts: []bundle.Text{}, Missing: []bundle.Missing{}}
		var texts map[string]audit.Text
		why := b.o.withheld(r.WallMS, redacted, since)
		if why == "" {
			if texts, why, err = opened(b.tx, b.o, e.IntakeEntry, r); err != nil {
				return err
			}
		}
		for _, c := range r.Commitments {
			if t, ok := texts[c.Name]; ok {
				line.Texts = append(line.Texts, bundle.NewText(t))
				b.m.Texts.Opened++
				continue
			}
			line.Missing = append(line.Missing, bundle.Missing{Name: c.Name, Why: why})
			b.m.Texts.Add(why)
		}
		return b.out.Line(line)
	})
}

// sessions lists the sessions as the database has them, with the places that the records give.
func (b *bundler) sessions() error {
	if err := b.out.View(bundle.Session{}); err != nil {
		return err
	}
	for after := ""; ; {
		page, next, err := b.tx.ListSessions(store.SessionFilter{State: "all", After: after, Limit: 200})
		if err != nil {
			return err
		}
		for _, s := range page {
			if err := b.session(s); err != nil {
				return err
			}
		}
		if next == "" {
			return b.ctx.Err()
		}
		after = next
	}
}

func (b *bundler) session(s store.SessionRow) error {
	id, err := s.ID.Bytes()
	if err != nil {
		return err
	}
	line := bundle.Session{Session: string(s.ID), State: string(s.State), Cause: string(s.Cause)}
	if f := b.facts.Sessions[id]; f != nil {
		line = line.At(f)
	}
	switch s.State {
	case stead.StateEnded:
		b.m.Sessions.Ended[string(s.Cause)]++
	case stead.StateLive:
		b.m.Sessions.Live++
	default:
		b.m.Sessions.Started++
	}
	return b.out.Line(line)
}

func (b *bundler) notices() error {
	if err := b.out.View(bundle.Notice{}); err != nil {
		return err
	}
	for n, err := range b.src.Notices() {
		if err != nil {
			return err
		}
		line := bundle.Notice{Notice: n.ID, Kind: n.Kind, CreatedMS: n.CreatedAt.UnixMilli(), ReleasedMS: msOrNull(n.ReleasedAt), ReadMS: msOrNull(n.ReadAt)}
		if n.Session != "" {
			id := string(n.Session)
			line.Session = &id
		}
		b.m.Notices.Add(!n.ReleasedAt.IsZero(), !n.ReadAt.IsZero())
		if err := b.out.Line(line); err != nil {
			return err
		}
	}
	return nil
}

func msOrNull(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}
