// Package publish brings the log's checkpoints out of the house: into a folder and to an address of the customer's, and
// to a witness that signs them as well. What lies outside nobody inside can take back, so whoever rewrites the log or
// sets it back is found out by it.
package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// Every is how often a place gets a newer checkpoint at most, unless the configuration says otherwise.
const Every = 10 * time.Second

// longest is the longest pause after a failure.
const longest = 5 * time.Minute

// Config says where checkpoints go.
type Config struct {
	Folders []string  // must exist: one that is not mounted is not made here
	URLs    []Address // https, or this machine
	Witness Witness
	People  audit.RecoveryKeys // whose word excuses that the log was set back
	Every   time.Duration      // Every when zero
	Log     *slog.Logger
}

// Witness is a witness that speaks c2sp.org/tlog-witness. The zero value is none.
type Witness struct {
	URL string // its submission prefix
	Key string // its verifier key
}

// State is what is known of one place.
type State struct {
	Place   string    // folder or address; without what may be secret in an address
	Size    int64     // of the checkpoint that is there; -1 before the first
	At      time.Time // when it was brought there
	Problem string    // why the newest is not there; "" when it is, or there is nothing new
	// Contradicts means that what lies there is proof that the log was rewritten or set back, which nobody declared.
	Contradicts bool
}

// place is somewhere a checkpoint can be brought to. An error that wraps audit.ErrContradiction says that what is there
// is of another log.
type place interface {
	name() string
	bring(ctx context.Context, c checkpoint) error
}

// checkpoint is one that was signed here.
type checkpoint struct {
	audit.Checkpoint
	signed []byte
}

// Publisher brings checkpoints out. Its methods are safe for concurrent use.
type Publisher struct {
	store  store.Store
	places []place
	every  time.Duration
	log    *slog.Logger

	mu     sync.Mutex
	states []State
}

// New checks the configuration and does nothing else. CodeConfigInvalid names what cannot be used.
func New(st store.Store, c Config) (*Publisher, error) {
	p := &Publisher{store: st, every: c.Every, log: c.Log}
	if p.every <= 0 {
		p.every = Every
	}
	hc := &http.Client{Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	l := ledger{st, c.People}
	for _, path := range c.Folders {
		if path == "" {
			return nil, stead.Errorf(stead.CodeConfigInvalid, "copies: an empty folder")
		}
		p.places = append(p.places, &folder{path, l})
	}
	for _, address := range c.URLs {
		for _, one := range []string{address.Put, address.Read} {
			if !stead.StaysPrivate(one) && (one != "" || address.Put == "") {
				return nil, stead.Errorf(stead.CodeConfigInvalid, "copies: %s must be an https address", shown(one))
			}
		}
		p.places = append(p.places, &remote{Address: address, http: hc, log: c.Log, ledger: l})
	}
	if c.Witness != (Witness{}) {
		key, err := audit.ParseWitness(c.Witness.Key)
		if err != nil {
			return nil, stead.Errorf(stead.CodeConfigInvalid, "witness: %v", err).Because(err)
		}
		if !stead.StaysPrivate(c.Witness.URL) {
			return nil, stead.Errorf(stead.CodeConfigInvalid, "witness: %s must be an https address", shown(c.Witness.URL))
		}
		p.places = append(p.places, &witness{url: c.Witness.URL, key: key, http: hc, ledger: l})
	}
	for _, at := range p.places {
		p.states = append(p.states, State{Place: at.name(), Size: -1})
	}
	return p, nil
}

// shown is an address without what may be secret in it.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that is none"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// States says how it stands with each place.
func (p *Publisher) States() []State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]State(nil), p.states...)
}

// Run brings each newer checkpoint to all places until the context ends. No place waits for another one.
func (p *Publisher) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for n := range p.places {
		wg.Go(func() { p.serve(ctx, n) })
	}
	wg.Wait()
}

func (p *Publisher) serve(ctx context.Context, n int) {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = p.every, longest
	for {
		pause := p.every
		if err := p.once(ctx, n); err != nil {
			pause = pauses.NextBackOff()
		} else {
			pauses.Reset()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// once brings the newest checkpoint to a place that does not have it.
func (p *Publisher) once(ctx context.Context, n int) error {
	newest, err := p.newest(ctx)
	if err == nil && newest.Size > p.States()[n].Size {
		err = p.places[n].bring(ctx, newest)
	} else if err == nil {
		return nil
	}
	if ctx.Err() == nil && !errors.Is(err, store.ErrNotFound) { // before the first checkpoint there is nothing to bring
		p.note(ctx, n, newest.Size, err)
	}
	return err
}

func (p *Publisher) newest(ctx context.Context) (c checkpoint, err error) {
	err = p.store.View(ctx, func(tx store.Tx) error {
		last, err := tx.Checkpoint()
		if err != nil {
			return err
		}
		c.signed = []byte(last.Note)
		c.Checkpoint, err = audit.ParseCheckpoint(c.signed)
		return err
	})
	return c, err
}

// note keeps what became of it, and logs what was not so before.
func (p *Publisher) note(ctx context.Context, n int, size int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, before := &p.states[n], p.states[n]
	if err == nil {
		*s = State{Place: s.Place, Size: size, At: time.Now()}
		if before.Problem != "" {
			p.log.InfoContext(ctx, "checkpoints reach the place outside again", "to", s.Place, "size", size)
		}
		return
	}
	s.Problem, s.Contradicts = err.Error(), errors.Is(err, audit.ErrContradiction)
	if s.Contradicts && !before.Contradicts {
		p.log.ErrorContext(ctx, "ALARM: the log contradicts what it showed outside before; it was rewritten, or set back and that was not declared", "to", s.Place, "err", err)
	} else if s.Problem != before.Problem {
		p.log.ErrorContext(ctx, "a checkpoint could not be brought to a place outside", "to", s.Place, "err", err)
	}
}

// refused is an answer that is no success.
func refused(status int) error {
	return fmt.Errorf("the answer was %d %s", status, http.StatusText(status))
}
