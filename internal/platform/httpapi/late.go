package httpapi

import (
	"context"
	"errors"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

func (s *server) PostSealedRecords(ctx context.Context, r api.PostSealedRecordsRequestObject) (api.PostSealedRecordsResponseObject, error) {
	epoch, err := audit.ParseEpoch(r.Body.Epoch)
	if err != nil || len(r.Body.HeadLeaf) != 32 {
		return nil, stead.Errorf(stead.CodeBadRequest, "field records").Because(err)
	}
	id := stead.DeviceID(r.DeviceID)
	//nolint:gosec // G115: the contract's minimum is 1
	b := ledger.SealedBatch{File: audit.OutboxFile{Device: id, Epoch: epoch, Generation: uint64(r.Body.Generation)}, Key: r.Body.Key,
		Head: audit.Head{Device: id, Epoch: epoch, Seq: uint64(r.Body.HeadSeq), Leaf: [32]byte(r.Body.HeadLeaf)}, Signature: r.Body.Signature,
		FirstSeq: uint64(r.Body.FirstSeq), Records: r.Body.Records}
	var next uint64
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		var err error
		next, err = s.Ledger.TakeSealed(tx, who(ctx).ID, b)
		return err
	})
	if stead.CodeOf(err) == stead.CodeRecordInvalid { // what waits leads nowhere, and must not stand in the way of what does
		err = errors.Join(err, s.Store.Update(ctx, func(tx store.Tx) error { return tx.DropLate(id, epoch) }))
	}
	return api.PostSealedRecords200JSONResponse{NextSeq: int64(next)}, err
}
