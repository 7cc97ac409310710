package httpapi

import (
	"context"
	"strconv"
	"unicode/utf8"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

func (s *server) PostRecords(ctx context.Context, r api.PostRecordsRequestObject) (api.PostRecordsResponseObject, error) {
	b, err := toBatch(r)
	if err != nil {
		return nil, err
	}
	b.Prepare() // before the transaction: nobody else has to wait for it
	var next uint64
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		var err error
		next, err = s.Ledger.TakeIn(tx, who(ctx).ID, b)
		return err
	})
	return api.PostRecords200JSONResponse{NextSeq: int64(next)}, err
}

// toBatch holds the request to the document, in place of the gate, and translates it.
func toBatch(r api.PostRecordsRequestObject) (ledger.Batch, error) {
	bad := func(field string) (ledger.Batch, error) {
		return ledger.Batch{}, stead.Errorf(stead.CodeBadRequest, "field %s", field)
	}
	epoch, err := audit.ParseEpoch(r.Epoch)
	switch {
	case err != nil:
		return bad("epoch")
	case r.Body.FirstSeq < 1:
		return bad("first_seq")
	case r.Body.HeadSeq < 1:
		return bad("head_seq")
	case len(r.Body.HeadLeaf) != 32:
		return bad("head_leaf")
	case r.Body.Signature == nil:
		return bad("signature")
	case len(r.Body.Records) < 1 || len(r.Body.Records) > maxRecords:
		return bad("records")
	}
	first, last := uint64(r.Body.FirstSeq), uint64(r.Body.HeadSeq)
	b := ledger.Batch{Device: stead.DeviceID(r.DeviceID), Epoch: epoch, FirstSeq: first, Signature: r.Body.Signature,
		Head:    audit.Head{Device: stead.DeviceID(r.DeviceID), Epoch: epoch, Seq: last, Leaf: [32]byte(r.Body.HeadLeaf)},
		Records: make([]ledger.DeviceRecord, 0, len(r.Body.Records))}
	for i, rec := range r.Body.Records {
		out, field := toDeviceRecord(rec)
		if field != "" {
			return bad("records." + strconv.Itoa(i) + "." + field)
		}
		b.Records = append(b.Records, out)
	}
	return b, nil
}

// The document's bounds of a batch; lengths of texts are in characters.
const (
	maxRecords     = 500
	maxTexts       = 16
	maxTextName    = 40
	maxTextValue   = 16000
	maxQuarantined = 200
)

// toDeviceRecord translates a record, or names the field that is not as the document has it.
func toDeviceRecord(rec api.DeviceRecord) (out ledger.DeviceRecord, field string) {
	switch {
	case rec.Envelope == nil:
		return out, "envelope"
	case rec.Texts == nil || len(rec.Texts) > maxTexts:
		return out, "texts"
	case rec.Quarantined != nil && (*rec.Quarantined == "" || longer(*rec.Quarantined, maxQuarantined)):
		return out, "quarantined"
	}
	out = ledger.DeviceRecord{Envelope: rec.Envelope, Texts: make([]audit.Text, 0, len(rec.Texts)), Quarantined: text(rec.Quarantined)}
	for _, t := range rec.Texts {
		if len(t.Salt) != 32 || t.Name == "" || longer(t.Name, maxTextName) || longer(t.Value, maxTextValue) {
			return out, "texts"
		}
		out.Texts = append(out.Texts, audit.Text{Name: t.Name, Salt: [32]byte(t.Salt), Value: t.Value})
	}
	return out, ""
}

// longer reports whether a text has more characters than the document allows.
func longer(s string, most int) bool { return len(s) > most && utf8.RuneCountInString(s) > most }

func (s *server) ReadTrail(ctx context.Context, r api.ReadTrailRequestObject) (api.ReadTrailResponseObject, error) {
	f := store.TrailFilter{Session: stead.SessionID(text(r.Params.Session)), Limit: limitOf(r.Params.Limit)}
	me := who(ctx)
	if c := text(r.Params.Cursor); c != "" {
		before, err := strconv.ParseInt(c, 10, 64)
		if err != nil || before < 1 {
			return nil, stead.Errorf(stead.CodeBadRequest, "parameter cursor")
		}
		f.Before = before
	}
	out := api.ReadTrail200JSONResponse{Items: []api.TrailEntry{}}
	err := s.Store.View(ctx, func(tx store.Tx) error {
		// Without the role action: one's own records, and everything about one's own sessions.
		if mine, err := tx.Session(f.Session); !me.Role.May(stead.ActionReadTrail) && (err != nil || mine.Agent != me.ID) {
			f.Actor = me.Pseudonym
		}
		lines, err := s.Ledger.Trail(tx, f)
		for _, l := range lines {
			out.Items = append(out.Items, toTrailEntry(l))
		}
		if len(lines) == f.Limit {
			out.NextCursor = optional(strconv.FormatInt(lines[len(lines)-1].Index, 10))
		}
		return err
	})
	return out, err
}
