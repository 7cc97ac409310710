package main

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"stead/internal/stead"

	"stead/internal/desktop/client"
	"stead/internal/desktop/outbox"

	"stead/internal/platform/authority"
	"stead/internal/platform/casework"
	"stead/internal/platform/httpapi"
	"stead/internal/platform/keys"
	"stead/internal/platform/ledger"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/staff"
	"stead/internal/platform/store"
)

// drainOutbox sends a full outbox with the real client to a real platform on loopback, whose sequencer is running. Only
// the sign-in is left out.
func drainOutbox(ctx context.Context, b bench) (_ []row, err error) {
	d, err := makeDevice()
	if err != nil {
		return nil, err
	}
	p, err := openPlatform(ctx, b.folder, d)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	o, err := outbox.Open(ctx, filepath.Join(b.folder, "outbox.db"), d.config)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	plain, err := openPlain(ctx, filepath.Join(b.folder, "plain.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plain.db.Close()) }()
	rounds := min(b.size.rounds, 3)
	each := b.size.drained / rounds
	ours := func() (float64, error) {
		if err := fill(ctx, o, each); err != nil {
			return 0, err
		}
		began := time.Now()
		if err := o.Drain(ctx, p.client); err != nil {
			return 0, err
		}
		took := time.Since(began).Seconds()
		if left := o.State().Pending; left > 0 {
			return 0, fmt.Errorf("%d records were not drained", left)
		}
		return float64(each) / took, nil
	}
	floor := func() (float64, error) {
		began := time.Now()
		for done := 0; done < each; done += outbox.BatchRecords {
			if err := plain.write(ctx, same, outbox.BatchRecords, 1); err != nil {
				return 0, err
			}
		}
		return float64(each) / time.Since(began).Seconds(), nil
	}
	found, err := medians(ctx, rounds, ours, floor)
	if err != nil {
		return nil, err
	}
	return []row{row{Name: "outbox.drain", Value: found[0], Unit: "records/s"}.atLeast(20_000).
		against(fmt.Sprintf("rows alone, same columns and indexes, %d a transaction", outbox.BatchRecords), found[1])}, nil
}

// signedIn is a sign-in that is always good: its token is a staff id.
type signedIn stead.StaffID

// Token implements client.TokenSource.
func (s signedIn) Token(context.Context) (string, error) { return string(s), nil }

// Verify implements httpapi.TokenVerifier.
func (s signedIn) Verify(_ context.Context, raw string) (staff.Identity, error) {
	return staff.Identity{Issuer: "https://idp.example.org", Subject: raw, Email: raw + "@example.org", Name: raw}, nil
}

const agent = signedIn("st-bench")

// platformHere is a platform on loopback.
type platformHere struct {
	client *client.Client
	store  store.Store
	server *http.Server
	stop   context.CancelFunc
	owned  sync.WaitGroup
}

func openPlatform(ctx context.Context, folder string, d device) (*platformHere, error) {
	st, err := sqlite.Open(ctx, filepath.Join(folder, "platform.db"))
	if err != nil {
		return nil, err
	}
	p, err := serve(ctx, st, folder, d)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return p, nil
}

func serve(ctx context.Context, st store.Store, folder string, d device) (*platformHere, error) {
	ring, err := keys.Open(ctx, st, filepath.Join(folder, "platform.kek"))
	if err != nil {
		return nil, err
	}
	led, err := ledger.Open(ctx, st, ring)
	if err != nil {
		return nil, err
	}
	me := stead.Staff{ID: stead.StaffID(agent), Name: "Bench", Email: string(agent) + "@example.org", Role: stead.RoleSupport, Tier: 2, Privilege: true,
		Scope: stead.Scope{All: true}, Pseudonym: stead.NewPseudonym()}
	if err := st.Update(ctx, func(tx store.Tx) error {
		return errors.Join(tx.PutStaff(me, "https://idp.example.org", string(agent)),
			tx.PutDevice(store.Device{ID: d.id, Name: "bench", PublicKey: d.public, EnrolledBy: me.ID, EnrolledAt: tx.Now()}))
	}); err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := "http://" + listener.Addr().String()
	sequencer := ledger.NewSequencer(st, origin, func() crypto.Signer { return ring.Current().Signer }, log)
	handler, err := httpapi.New(httpapi.Config{Store: st, Ledger: led, Office: &staff.Office{Store: st, Ledger: led}, Desk: &casework.Desk{Store: st, Ledger: led}, Tokens: agent,
		Authority: authority.New(authority.Config{Store: st, Ledger: led, Keys: ring, Issuer: address, Log: log, App: authority.App{Audience: address, StartURL: address + "/", CookieName: "c"}}),
		Apps:      map[string][32]byte{"app": httpapi.HashSecret("secret")}, ClientID: "stead", Issuer: "https://idp.example.org", Version: "bench", Log: log})
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	p := &platformHere{store: st, server: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}}
	if p.client, err = client.New(address, agent, nil); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	run, stop := context.WithCancel(ctx)
	p.stop = stop
	p.owned.Go(func() { sequencer.Run(run) })
	p.owned.Go(func() { _ = p.server.Serve(listener) })
	return p, nil
}

func (p *platformHere) close() error {
	p.stop()
	err := p.server.Close()
	p.owned.Wait()
	return errors.Join(err, p.store.Close())
}
