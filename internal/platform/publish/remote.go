package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"stead/internal/platform/store"
)

// Address is somewhere that takes each checkpoint with PUT, as object stores with a signed address do.
type Address struct {
	Put  string
	Read string // where the checkpoint is read back with GET; Put when empty
}

// remote brings checkpoints to an address. It reads what is there before and after: who holds the place can take a
// copy away, or put an older one in its place, and that must show here.
type remote struct {
	Address
	http *http.Client
	log  *slog.Logger
	ledger

	read   bool // it could be read once
	told   bool // that it cannot be read was logged
	missed bool // that the copy is gone or set back was reported, so the next one is brought again
}

func (r *remote) name() string { return shown(r.Put) }

// key names the place in the store. What is behind the path changes: signed addresses run out.
func (r *remote) key() [32]byte { return sha256.Sum256([]byte(shown(r.Put))) }

func (r *remote) bring(ctx context.Context, c checkpoint) error {
	if err := r.compare(ctx, c); err != nil {
		return err
	}
	status, _, err := send(ctx, r.http, http.MethodPut, r.Put, c.signed)
	if err != nil {
		return err
	}
	if status < 200 || status > 299 {
		return refused(status)
	}
	switch held, readable, err := r.held(ctx); {
	case err != nil:
		return err
	case !readable && r.Read != "":
		return errors.New("it took the checkpoint, which cannot be read back from the address for that")
	case !readable && !r.told:
		r.told = true
		r.log.WarnContext(ctx, "a place outside does not let checkpoints be read back: that they stay there only its owner can see; give it a read address", "to", r.name())
	case readable && !bytes.Equal(held, c.signed):
		return errors.New("it took the checkpoint and serves another one, or none")
	}
	r.missed = false
	return r.store.Update(ctx, func(tx store.Tx) error {
		return tx.PutDelivery(store.Delivery{Place: r.key(), Size: c.Size, At: tx.Now()})
	})
}

// compare holds what lies there to the log and to what was brought there. That a copy is gone or was set back is an
// error once; then the place gets the newest again.
func (r *remote) compare(ctx context.Context, c checkpoint) error {
	brought, err := r.brought(ctx)
	if err != nil {
		return err
	}
	held, readable, err := r.held(ctx)
	switch {
	case err != nil:
		return err
	case !readable:
		return nil
	case held == nil:
		return r.miss(brought > 0, "the copy of %d records that was brought there is gone", brought)
	}
	older, err := r.opens(ctx, held)
	if err != nil {
		return fmt.Errorf("what lies there is not of this log: %w", err)
	}
	excused, err := r.extends(ctx, older, c.Checkpoint, r.spent)
	if err != nil {
		return err
	}
	return r.miss(older.Size < brought && !excused, "it was set back: it got a checkpoint of %d records, and has one of %d", brought, older.Size)
}

func (r *remote) miss(is bool, format string, args ...any) error {
	if !is || r.missed {
		return nil
	}
	r.missed = true
	return fmt.Errorf(format, args...)
}

// held is what lies there; nil when nothing does. A place that does not let itself be read is not readable, unless it
// was before: object stores answer so when what is asked for is gone.
func (r *remote) held(ctx context.Context) (text []byte, readable bool, err error) {
	address := r.Read
	if address == "" {
		address = r.Put
	}
	status, text, err := send(ctx, r.http, http.MethodGet, address, nil)
	if err != nil {
		return nil, false, err
	}
	switch status {
	case http.StatusOK:
		r.read = true
		return text, true, nil
	case http.StatusNotFound, http.StatusGone:
		return nil, true, nil
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return nil, r.read, nil
	}
	return nil, false, fmt.Errorf("reading back: %w", refused(status))
}

// brought is the size of the checkpoint that was brought there last; 0 for none.
func (r *remote) brought(ctx context.Context) (size int64, err error) {
	err = r.store.View(ctx, func(tx store.Tx) error {
		d, err := tx.Delivery(r.key())
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		size = d.Size
		return err
	})
	return size, err
}

// spent is whether more than what the restore kept was brought there: then the restore had its effect.
func (r *remote) spent(tx store.Tx, of restore) (bool, error) {
	d, err := tx.Delivery(r.key())
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return d.Size > of.Kept.Size, err
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 32 << 10

// send makes one request. Its error never holds the address, which may be secret.
func send(ctx context.Context, hc *http.Client, method, address string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, plain(err)
	}
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
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
