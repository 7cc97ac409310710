package authority_test

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/authority"
	"stead/internal/platform/keys"
	"stead/internal/platform/ledger"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
)

// clocked is a store whose database clock runs ahead or behind by a settable amount.
type clocked struct {
	store.Store
	ahead atomic.Int64
}

type clockedTx struct {
	store.Tx
	ahead time.Duration
}

func (t clockedTx) Now() time.Time { return t.Tx.Now().Add(t.ahead) }

func (c *clocked) View(ctx context.Context, f func(store.Tx) error) error {
	return c.Store.View(ctx, func(tx store.Tx) error { return f(clockedTx{tx, time.Duration(c.ahead.Load())}) })
}

func (c *clocked) Update(ctx context.Context, f func(store.Tx) error) error {
	return c.Store.Update(ctx, func(tx store.Tx) error { return f(clockedTx{tx, time.Duration(c.ahead.Load())}) })
}

func (c *clocked) pass(d time.Duration) { c.ahead.Add(int64(d)) }

// world is a platform without its HTTP edge: real store, keys and ledger, one enrolled device for each agent.
type world struct {
	*testing.T
	dir     string
	store   *clocked
	ring    *keys.Ring
	ledger  *ledger.Ledger
	auth    *authority.Authority
	devices map[stead.StaffID]*device
}

type device struct {
	id    stead.DeviceID
	key   ed25519.PrivateKey
	epoch audit.Epoch
	head  audit.Head
}

var (
	lena  = stead.Staff{ID: "st-lena", Name: "Lena Ortiz", Email: "lena@stead.test", Role: stead.RoleSupport, Tier: 1, Privilege: true, Scope: stead.Scope{Accounts: []stead.AccountID{"acme"}}, Pseudonym: stead.NewPseudonym()}
	tom   = stead.Staff{ID: "st-tom", Name: "Tom Fischer", Email: "tom@stead.test", Role: stead.RoleSupport, Tier: 2, Privilege: true, Scope: stead.Scope{All: true}, Pseudonym: stead.NewPseudonym()}
	priya = stead.Staff{ID: "st-priya", Name: "Priya Nair", Email: "priya@stead.test", Role: stead.RoleLead, Scope: stead.Scope{All: true}, Pseudonym: stead.NewPseudonym()}

	ana   = stead.Member{ID: "m-ana", Account: "acme", Branch: "acme-west", Name: "Ana Souza", Email: "ana@members.test", Level: stead.LevelMember, Pseudonym: stead.NewPseudonym()}
	bo    = stead.Member{ID: "m-bo", Account: "acme", Branch: "acme-west", Name: "Bo Lind", Email: "bo@members.test", Level: stead.LevelMember, Pseudonym: stead.NewPseudonym()}
	far   = stead.Member{ID: "m-far", Account: "birch", Branch: "birch-north", Name: "Far Away", Email: "far@members.test", Level: stead.LevelMember, Pseudonym: stead.NewPseudonym()}
	tomAs = stead.Member{ID: "m-tom", Account: "acme", Branch: "acme-west", Name: "Tom Fischer", Email: "TOM@stead.test", Level: stead.LevelMember, Pseudonym: stead.NewPseudonym()}
)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir(), devices: map[stead.StaffID]*device{}}
	w.open()
	w.must(w.store.Update(t.Context(), func(tx store.Tx) error {
		for _, a := range []struct {
			account stead.AccountID
			branch  stead.BranchID
		}{{"acme", "acme-west"}, {"birch", "birch-north"}} {
			w.must(tx.PutAccount(a.account, string(a.account)))
			w.must(tx.PutBranch(a.branch, a.account, string(a.branch)))
		}
		for _, s := range []stead.Staff{lena, tom, priya} {
			w.must(tx.PutStaff(s, "https://idp.test", string(s.ID)))
		}
		for _, m := range []stead.Member{ana, bo, far, tomAs} {
			w.must(tx.PutMember(m, ""))
		}
		return nil
	}))
	for _, s := range []stead.Staff{lena, tom} {
		w.enrol(s)
	}
	return w
}

func (w *world) open() {
	w.Helper()
	st, err := sqlite.Open(w.Context(), filepath.Join(w.dir, "platform.db"))
	w.must(err)
	if w.store == nil {
		w.store = &clocked{}
	}
	w.store.Store = st
	w.Cleanup(func() { _ = st.Close() })
	w.ring, err = keys.Open(w.Context(), w.store, filepath.Join(w.dir, "kek"))
	w.must(err)
	w.ledger, err = ledger.Open(w.Context(), w.store, w.ring)
	w.must(err)
	w.auth = authority.New(authority.Config{Store: w.store, Ledger: w.ledger, Keys: w.ring, Issuer: "https://platform.test", ReadOnly: true, Fallback: true, Log: slog.New(slog.DiscardHandler),
		App: authority.App{Audience: "https://portal.test", StartURL: "https://portal.test/", CookieName: "__Host-stead"}})
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) enrol(s stead.Staff) {
	w.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	w.must(err)
	d := &device{id: stead.DeviceID(stead.NewPseudonym().String()), key: private, epoch: audit.NewEpoch()}
	d.head = audit.Head{Device: d.id, Epoch: d.epoch}
	w.must(w.store.Update(w.Context(), func(tx store.Tx) error {
		return tx.PutDevice(store.Device{ID: d.id, Name: "laptop", PublicKey: public, EnrolledBy: s.ID, EnrolledAt: tx.Now()})
	}))
	w.devices[s.ID] = d
}

// intend delivers an intent record and returns the start that names it, signed.
func (w *world) intend(agent stead.Staff, m stead.Member) authority.StartRequest {
	w.Helper()
	return w.intendFor(agent, m, "")
}

func (w *world) intendFor(agent stead.Staff, m stead.Member, ticket string) authority.StartRequest {
	w.Helper()
	d := w.devices[agent.ID]
	key := stead.NewEventID()
	subject := m.Pseudonym
	rec := audit.Record{Device: d.id, Epoch: d.epoch, Seq: d.head.Seq + 1, Prev: d.head.Leaf, WallMS: time.Now().UnixMilli(), Kind: audit.SessionIntent,
		EventID: key, Actor: agent.Pseudonym, Subject: &subject, KeyID: audit.KeyID(d.key.Public().(ed25519.PublicKey)),
		Body: audit.Body{"account": string(m.Account), "category": "troubleshooting", "consent": "phone", "ticket": ticket}}
	texts := []audit.Text{audit.NewText("reason", "plan page shows an error")}
	rec.Commit(texts)
	envelope, err := rec.Encode()
	w.must(err)
	head := audit.Head{Device: d.id, Epoch: d.epoch, Seq: rec.Seq, Leaf: audit.Leaf(envelope)}
	signature, err := audit.SignHead(d.key, head)
	w.must(err)
	w.must(w.store.Update(w.Context(), func(tx store.Tx) error {
		_, err := w.ledger.TakeIn(tx, agent.ID, ledger.Batch{Device: d.id, Epoch: d.epoch, FirstSeq: rec.Seq, Head: head, Signature: signature,
			Records: []ledger.DeviceRecord{{Envelope: envelope, Texts: texts}}})
		return err
	}))
	d.head = head
	req := authority.StartRequest{Key: key, Member: m.ID, Account: m.Account, Record: head, Ticket: ticket,
		Reason:  stead.Reason{Category: stead.CategoryTroubleshooting, Text: "plan page shows an error"},
		Consent: stead.Consent{Attested: true, How: stead.ConsentPhone}}
	w.sign(d, &req)
	return req
}

func (w *world) sign(d *device, req *authority.StartRequest) {
	w.Helper()
	claim := audit.StartClaim{Device: req.Record.Device, Epoch: req.Record.Epoch, Seq: req.Record.Seq, Leaf: req.Record.Leaf, Member: req.Member, RequestKey: req.Key.String()}
	var err error
	req.Signature, err = claim.Sign(d.key)
	w.must(err)
}

func (w *world) start(agent stead.Staff, m stead.Member) authority.Started {
	w.Helper()
	s, err := w.auth.Start(w.Context(), agent, w.intend(agent, m))
	w.must(err)
	return s
}

func (w *world) startErr(agent stead.Staff, m stead.Member) error {
	w.Helper()
	_, err := w.auth.Start(w.Context(), agent, w.intend(agent, m))
	return err
}

func (w *world) redeem(agent stead.Staff, s authority.Started) (authority.Opened, error) {
	w.Helper()
	claim := audit.HandoffClaim{Device: w.devices[agent.ID].id, Session: s.Session.ID, Code: stead.Secret(s.Handoff)}
	signature, err := claim.Sign(w.devices[agent.ID].key)
	w.must(err)
	return w.auth.Redeem(w.Context(), agent, s.Session.ID, stead.Secret(s.Handoff), signature)
}

// live starts and opens a session.
func (w *world) live(agent stead.Staff, m stead.Member) authority.Opened {
	w.Helper()
	o, err := w.redeem(agent, w.start(agent, m))
	w.must(err)
	return o
}

func (w *world) active(token string) bool {
	w.Helper()
	c, err := w.auth.Introspect(w.Context(), token)
	w.must(err)
	return c != nil
}

func (w *world) session(id stead.SessionID) (s stead.Session) {
	w.Helper()
	w.must(w.store.View(w.Context(), func(tx store.Tx) error {
		row, err := tx.Session(id)
		s = row.Session
		return err
	}))
	return s
}

// trail is the session's records, oldest first.
func (w *world) trail(id stead.SessionID) (lines []ledger.Line) {
	w.Helper()
	w.must(w.store.View(w.Context(), func(tx store.Tx) error {
		newest, err := w.ledger.Trail(tx, store.TrailFilter{Session: id, Limit: 100})
		for i := len(newest) - 1; i >= 0; i-- {
			lines = append(lines, newest[i])
		}
		return err
	}))
	return lines
}

func (w *world) notices(m stead.Member) (list []store.Notice) {
	w.Helper()
	w.must(w.store.View(w.Context(), func(tx store.Tx) (err error) {
		list, err = tx.Notices(m.ID, 100)
		return err
	}))
	return list
}

func (w *world) ends(id stead.SessionID) (causes []string) {
	for _, l := range w.trail(id) {
		if l.Kind == audit.SessionEnded {
			causes = append(causes, l.Facts["cause"])
		}
	}
	return causes
}

func (w *world) wantCode(err error, want stead.Code) {
	w.Helper()
	if got := stead.CodeOf(err); got != want {
		w.Errorf("got %q (%v), want %q", got, err, want)
	}
}
