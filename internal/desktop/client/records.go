package client

import (
	"context"
	"errors"

	"stead/internal/api"
	"stead/internal/desktop/outbox"
)

// PostRecords delivers a batch of the outbox. With CodeChainGap the acknowledgement says where to go on.
func (c *Client) PostRecords(ctx context.Context, b outbox.Batch) (outbox.Ack, error) {
	req := api.RecordBatch{FirstSeq: int64(b.First), HeadSeq: int64(b.Head.Seq), HeadLeaf: b.Head.Leaf[:], Signature: b.HeadSig, //nolint:gosec // counts of records
		Records: make([]api.DeviceRecord, 0, len(b.Items))}
	for _, item := range b.Items {
		rec := api.DeviceRecord{Envelope: item.Envelope, Texts: make([]api.RecordText, 0, len(item.Texts))}
		if item.Quarantined != "" {
			rec.Quarantined = &item.Quarantined
		}
		for i := range item.Texts {
			t := &item.Texts[i]
			rec.Texts = append(rec.Texts, api.RecordText{Name: t.Name, Salt: t.Salt[:], Value: t.Value})
		}
		req.Records = append(req.Records, rec)
	}
	ack, err := read[api.RecordAck](c.raw.PostRecords(ctx, string(b.Device), b.Epoch.String(), req, c.auth))
	var gap *gapError
	if errors.As(err, &gap) {
		return outbox.Ack{Epoch: b.Epoch, NextSeq: gap.next}, err
	}
	return outbox.Ack{Epoch: b.Epoch, NextSeq: uint64(max(ack.NextSeq, 0))}, err
}
