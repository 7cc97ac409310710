package httpapi

import (
	"context"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
)

func (s *server) PostSealedRecords(ctx context.Context, r api.PostSealedRecordsRequestObject) (api.PostSealedRecordsResponseObject, error) {
	epoch, err := audit.ParseEpoch(r.Body.Epoch)
	if err != nil || len(r.Body.HeadLeaf) != 32 {
		return nil, stead.Errorf(stead.CodeBadRequest, "field records").Because(err)
	}
	id := stead.DeviceID(r.DeviceID)
	//nolint:gosec // G115: the contract's minimum is 1
	next, err := s.Ledger.TakeSealed(ctx, s.Store, who(ctx).ID, ledger.SealedBatch{
		File: audit.OutboxFile{Device: id, Epoch: epoch, Generation: uint64(r.Body.Generation)}, Key: r.Body.Key,
		Head: audit.Head{Device: id, Epoch: epoch, Seq: uint64(r.Body.HeadSeq), Leaf: [32]byte(r.Body.HeadLeaf)}, Signature: r.Body.Signature,
		FirstSeq: uint64(r.Body.FirstSeq), Records: r.Body.Records})
	return api.PostSealedRecords200JSONResponse{NextSeq: int64(next)}, err //nolint:gosec // G115: the contract's maximum
}
