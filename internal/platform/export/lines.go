package export

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"

	"github.com/google/uuid"

	"stead/internal/audit"

	"stead/internal/platform/store"
)

// Line is a record as other programs read it: its fields decoded, its texts opened, and what the platform noted beside it.
type Line struct {
	Place          int64             `json:"place"`
	Position       *int64            `json:"position"` // in the log; null while it is not in it
	Leaf           string            `json:"leaf"`
	Device         string            `json:"device"`
	Epoch          string            `json:"epoch"`
	Seq            uint64            `json:"seq"`
	Prev           string            `json:"prev"`
	WallMS         int64             `json:"wall_ms"`
	BootID         string            `json:"boot_id"`
	MonoMS         int64             `json:"mono_ms"`
	ServerOffsetMS *int64            `json:"server_offset_ms"`
	Kind           audit.Kind        `json:"kind"`
	EventID        uuid.UUID         `json:"event_id"`
	Session        string            `json:"session,omitempty"`
	Actor          string            `json:"actor,omitempty"`
	Subject        string            `json:"subject,omitempty"`
	Ref            *uuid.UUID        `json:"ref,omitempty"`
	KeyID          string            `json:"key_id"`
	Body           audit.Body        `json:"body"`
	Texts          map[string]string `json:"texts"`
	Missing        map[string]string `json:"missing"` // names of texts that are not here, and why
	ReceivedMS     int64             `json:"received_ms"`
	DeliveredBy    string            `json:"delivered_by,omitempty"` // withheld with Redact
	Doubt          string            `json:"doubt,omitempty"`
}

// Lines writes one line of JSON for each record into w, those of the log first, and returns how many. With Since, older
// records are left out.
func Lines(ctx context.Context, w io.Writer, src Source, o Options) (n int64, err error) {
	tx, err := src.Tx()
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	err = each(ctx, src, o, func(place int64, e store.LoggedEntry) error {
		r, err := audit.Decode(e.Envelope)
		if err != nil {
			return &audit.LedgerBroken{Place: place, What: "cannot be read: " + err.Error()}
		}
		if o.old(r.WallMS) {
			return nil
		}
		line := lineOf(place, e, r)
		if o.Redact {
			line.DeliveredBy = ""
		}
		if err := line.open(tx, o, e.IntakeEntry, r); err != nil {
			return err
		}
		n++
		return enc.Encode(line)
	})
	if err != nil {
		return n, err
	}
	return n, out.Flush()
}

func lineOf(place int64, e store.LoggedEntry, r audit.Record) Line {
	line := Line{Place: place, Leaf: hex.EncodeToString(e.Leaf[:]), Device: string(r.Device), Epoch: r.Epoch.String(), Seq: r.Seq,
		Prev: hex.EncodeToString(r.Prev[:]), WallMS: r.WallMS, BootID: hex.EncodeToString(r.BootID[:]), MonoMS: r.MonoMS, ServerOffsetMS: r.ServerOffsetMS,
		Kind: r.Kind, EventID: r.EventID, Ref: r.Ref, KeyID: hex.EncodeToString(r.KeyID[:]), Body: r.Body, Texts: map[string]string{},
		Missing: map[string]string{}, ReceivedMS: e.ReceivedAt.UnixMilli(), DeliveredBy: string(e.DeliveredBy), Doubt: e.Doubt}
	if e.Position >= 0 {
		line.Position = &e.Position
	}
	if r.Session != nil {
		line.Session = string(*r.Session)
	}
	if !r.Actor.IsZero() {
		line.Actor = r.Actor.String()
	}
	if r.Subject != nil {
		line.Subject = r.Subject.String()
	}
	return line
}

// open fills in the texts, or why they are not there.
func (l *Line) open(tx store.Tx, o Options, e store.IntakeEntry, r audit.Record) error {
	if len(r.Commitments) == 0 {
		return nil
	}
	var texts map[string]audit.Text
	why := o.withheld(r.WallMS, redacted, since)
	if why == "" {
		var err error
		if texts, why, err = opened(tx, o, e, r); err != nil {
			return err
		}
	}
	for _, c := range r.Commitments {
		if t, ok := texts[c.Name]; ok {
			l.Texts[c.Name] = t.Value
		} else {
			l.Missing[c.Name] = why
		}
	}
	return nil
}
