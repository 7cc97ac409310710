package client

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"stead/internal/api"

	"stead/internal/desktop/outbox"
)

// OutboxKey asks for the public key for which this machine's outbox seals its data key, so that the platform can read
// the file should the keyring be lost; nil when the platform announces none. It needs no sign-in.
func (c *Client) OutboxKey(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.base, "/")+"/v1/log/trust", nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.raw.Client.Do(req)
	if err == nil && resp.StatusCode == http.StatusNotFound { // a platform from before there was one
		return nil, resp.Body.Close()
	}
	trust, err := read[struct {
		OutboxKey []byte `json:"outbox_key"`
	}](resp, err)
	return trust.OutboxKey, err
}

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
