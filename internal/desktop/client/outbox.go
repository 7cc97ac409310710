package client

import (
	"context"
	"net/http"
	"strings"
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
