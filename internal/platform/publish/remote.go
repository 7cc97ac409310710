package publish

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
)

// remote is an address that takes each checkpoint with PUT, as object stores with a signed address do.
type remote struct {
	address string
	http    *http.Client
}

func (r *remote) name() string { return shown(r.address) }

func (r *remote) bring(ctx context.Context, c checkpoint) error {
	status, _, err := send(ctx, r.http, http.MethodPut, r.address, c.signed)
	if err != nil {
		return err
	}
	if status < 200 || status > 299 {
		return refused(status)
	}
	return nil
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 32 << 10

// send makes one request. Its error never holds the address, which may be secret.
func send(ctx context.Context, hc *http.Client, method, address string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, plain(err)
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := hc.Do(req)
	if err != nil {
		return 0, nil, plain(err)
	}
	defer func() { _ = resp.Body.Close() }() // what counts was read
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, answer, plain(err)
}

// plain takes the address from an error.
func plain(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
