package client

import (
	"context"
	"errors"

	"stead/internal/api"

	"stead/internal/desktop/outbox"
)

// PostSealed delivers records of an outbox whose keys this machine has lost (outbox.SealedTaker).
func (c *Client) PostSealed(ctx context.Context, b outbox.SealedBatch) (next uint64, err error) {
	//nolint:gosec // G115: counts of records and of files
	req := api.SealedBatch{Epoch: b.File.Epoch.String(), Generation: int64(b.File.Generation), Key: b.Key, HeadSeq: int64(b.Head.Seq),
		HeadLeaf: b.Head.Leaf[:], Signature: b.HeadSig, FirstSeq: int64(b.First), Records: b.Records}
	ack, err := read[api.RecordAck](c.raw.PostSealedRecords(ctx, string(b.File.Device), req, c.auth))
	var gap *gapError
	if errors.As(err, &gap) {
		return gap.next, err
	}
	return uint64(max(ack.NextSeq, 0)), err
}
