package httpapi

import (
	"context"
	"strconv"

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
	var next uint64
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		var err error
		next, err = s.Ledger.TakeIn(tx, who(ctx).ID, b)
		return err
	})
	return api.PostRecords200JSONResponse{NextSeq: int64(next)}, err
}

func toBatch(r api.PostRecordsRequestObject) (ledger.Batch, error) {
	bad := stead.Errorf(stead.CodeBadRequest, "field records")
	epoch, err := audit.ParseEpoch(r.Epoch)
	if err != nil || len(r.Body.HeadLeaf) != 32 {
		return ledger.Batch{}, bad.Because(err)
	}
	first, last := uint64(r.Body.FirstSeq), uint64(r.Body.HeadSeq) //nolint:gosec // the contract's minimum is 1
	b := ledger.Batch{Device: stead.DeviceID(r.DeviceID), Epoch: epoch, FirstSeq: first, Signature: r.Body.Signature,
		Head: audit.Head{Device: stead.DeviceID(r.DeviceID), Epoch: epoch, Seq: last}}
	copy(b.Head.Leaf[:], r.Body.HeadLeaf)
	for _, rec := range r.Body.Records {
		out := ledger.DeviceRecord{Envelope: rec.Envelope}
		for _, t := range rec.Texts {
			if len(t.Salt) != 32 {
				return b, bad
			}
			x := audit.Text{Name: t.Name, Value: t.Value}
			copy(x.Salt[:], t.Salt)
			out.Texts = append(out.Texts, x)
		}
		b.Records = append(b.Records, out)
	}
	return b, nil
}

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
