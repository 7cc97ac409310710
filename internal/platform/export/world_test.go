package export_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/audit/bundle"
	"stead/internal/stead"

	"stead/internal/platform/authority"
	"stead/internal/platform/casework"
	"stead/internal/platform/export"
	"stead/internal/platform/keys"
	"stead/internal/platform/ledger"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/staff"
	"stead/internal/platform/store"
)

const origin = "platform.test"

var (
	lena  = stead.Staff{ID: "st-lena", Name: "Lena Ortiz", Email: "lena@stead.test", Role: stead.RoleSupport, Tier: 1, Privilege: true, Scope: stead.Scope{All: true}, Pseudonym: stead.NewPseudonym()}
	priya = stead.Staff{ID: "st-priya", Name: "Priya Nair", Email: "priya@stead.test", Role: stead.RoleLead, Scope: stead.Scope{All: true}, Pseudonym: stead.NewPseudonym()}
	ana   = stead.Member{ID: "m-ana", Account: "acme", Branch: "acme-west", Name: "Ana Souza", Email: "ana@members.test", Level: stead.LevelMember, Pseudonym: stead.NewPseudonym()}
	bo    = stead.Member{ID: "m-bo", Account: "acme", Branch: "acme-west", Name: "Bo Lind", Email: "bo@members.test", Level: stead.LevelMember, Pseudonym: stead.NewPseudonym()}
)

// reason has what JSON writes in more ways than one: the two separators of Unicode, a quote, a backslash, a tag.
const reason = "plan page \"shows\"\u2028an \\u2028 error <b>\tfor Ana Souza"

// world is a platform without its HTTP edge: real store, keys, ledger, authority and sequencer.
type world struct {
	*testing.T
	dir    string
	store  store.Store
	ring   *keys.Ring
	ledger *ledger.Ledger
	auth   *authority.Authority
	office *staff.Office
	log    *ledger.Sequencer
	key    ed25519.PrivateKey // of lena's device
	head   audit.Head
	opened stead.SessionID // the one that history leaves open
	signer crypto.Signer   // of the log; nil for the ring's own
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir()}
	st, err := sqlite.Open(t.Context(), w.file())
	w.must(err)
	t.Cleanup(func() { _ = st.Close() })
	w.store = st
	w.ring, err = keys.Open(t.Context(), st, filepath.Join(w.dir, "platform.kek"))
	w.must(err)
	w.ledger, err = ledger.Open(t.Context(), st, w.ring)
	w.must(err)
	w.auth = authority.New(authority.Config{Store: st, Ledger: w.ledger, Keys: w.ring, Issuer: "https://platform.test", ReadOnly: true, Log: slog.New(slog.DiscardHandler),
		App: authority.App{Audience: "https://portal.test", StartURL: "https://portal.test/", CookieName: "__Host-stead"}})
	w.office = &staff.Office{Store: st, Ledger: w.ledger}
	w.log = ledger.NewSequencer(st, origin, w.logSigner, slog.New(slog.DiscardHandler))
	code, err := w.office.SetupCode(t.Context())
	w.must(err)
	_, err = w.office.Claim(t.Context(), staff.Identity{Issuer: "https://idp.test", Subject: "sam", Email: "sam@stead.test", Name: "Sam Okoye"}, stead.NewEventID(), code)
	w.must(err)
	w.update(func(tx store.Tx) error {
		w.must(tx.PutAccount("acme", "Acme"))
		w.must(tx.PutBranch("acme-west", "acme", "West"))
		w.must(tx.PutStaff(lena, "https://idp.test", "lena"))
		w.must(tx.PutStaff(priya, "https://idp.test", "priya"))
		w.must(tx.PutMember(ana, ""))
		return tx.PutMember(bo, "")
	})
	w.enrol()
	return w
}

// logSigner is the key that signs the log now.
func (w *world) logSigner() crypto.Signer {
	if w.signer != nil {
		return w.signer
	}
	return w.ring.Current().Signer
}

func (w *world) file() string { return filepath.Join(w.dir, "platform.db") }

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) update(f func(store.Tx) error) {
	w.Helper()
	w.must(w.store.Update(w.Context(), f))
}

func (w *world) enrol() {
	w.Helper()
	code, _, err := w.office.EnrolmentCode(w.Context(), priya, stead.NewEventID())
	w.must(err)
	public, private, err := ed25519.GenerateKey(nil)
	w.must(err)
	claim := audit.EnrolClaim{Code: stead.Secret(code), PublicKey: public, Name: "Lena's laptop"}
	signature, err := claim.Sign(private)
	w.must(err)
	id, err := w.office.Enrol(w.Context(), lena, stead.NewEventID(), claim, signature)
	w.must(err)
	w.key, w.head = private, audit.Head{Device: id, Epoch: audit.NewEpoch()}
}

// record delivers a record of lena's device and returns its event id.
func (w *world) record(kind audit.Kind, subject *stead.Pseudonym, texts []audit.Text, body audit.Body) (id [16]byte) {
	w.Helper()
	return w.about(kind, nil, nil, subject, texts, body)
}

// about is record for one that answers an intent and is about a session.
func (w *world) about(kind audit.Kind, ref *uuid.UUID, session *stead.SessionID, subject *stead.Pseudonym, texts []audit.Text, body audit.Body) (id [16]byte) {
	w.Helper()
	rec := audit.Record{Device: w.head.Device, Epoch: w.head.Epoch, Seq: w.head.Seq + 1, Prev: w.head.Leaf, WallMS: time.Now().UnixMilli(), Kind: kind,
		EventID: stead.NewEventID(), Actor: lena.Pseudonym, Subject: subject, Ref: ref, Session: session, KeyID: audit.KeyID(w.key.Public().(ed25519.PublicKey)), Body: body}
	rec.Commit(texts)
	envelope, err := rec.Encode()
	w.must(err)
	head := audit.Head{Device: rec.Device, Epoch: rec.Epoch, Seq: rec.Seq, Leaf: audit.Leaf(envelope)}
	signature, err := audit.SignHead(w.key, head)
	w.must(err)
	w.update(func(tx store.Tx) error {
		_, err := w.ledger.TakeIn(tx, lena.ID, ledger.Batch{Device: rec.Device, Epoch: rec.Epoch, FirstSeq: rec.Seq, Head: head, Signature: signature,
			Records: []ledger.DeviceRecord{{Envelope: envelope, Texts: texts}}})
		return err
	})
	w.head = head
	return rec.EventID
}

func (w *world) start(m stead.Member, category stead.Category) (authority.Started, error) {
	w.Helper()
	key := w.record(audit.SessionIntent, &m.Pseudonym, []audit.Text{audit.NewText("reason", reason)},
		audit.Body{"account": string(m.Account), "category": string(category), "consent": "phone", "ticket": ""})
	req := authority.StartRequest{Key: key, Member: m.ID, Account: m.Account, Record: w.head,
		Reason: stead.Reason{Category: category, Text: reason}, Consent: stead.Consent{Attested: true, How: stead.ConsentPhone}}
	claim := audit.StartClaim{Device: w.head.Device, Epoch: w.head.Epoch, Seq: w.head.Seq, Leaf: w.head.Leaf, Member: m.ID, RequestKey: req.Key.String()}
	var err error
	req.Signature, err = claim.Sign(w.key)
	w.must(err)
	return w.auth.Start(w.Context(), lena, req)
}

// live starts and opens a session, and reports an action in it.
func (w *world) live(m stead.Member) stead.SessionID {
	w.Helper()
	s, err := w.start(m, stead.CategoryTroubleshooting)
	w.must(err)
	claim := audit.HandoffClaim{Device: w.head.Device, Session: s.Session.ID, Code: stead.Secret(s.Handoff)}
	signature, err := claim.Sign(w.key)
	w.must(err)
	_, err = w.auth.Redeem(w.Context(), lena, s.Session.ID, stead.Secret(s.Handoff), signature)
	w.must(err)
	w.must(w.auth.Report(w.Context(), []authority.Action{{ID: stead.NewEventID(), Session: s.Session.ID, Method: "GET", Path: "/plan", Status: 200, Words: "looked at the plan", At: time.Now()}}))
	return s.Session.ID
}

func (w *world) sequence() {
	w.Helper()
	w.must(w.log.Append(w.Context()))
}

// history is a few days of work, all in the log: sessions of every state, refused starts, notes, a claim, checks.
func (w *world) history() {
	w.Helper()
	w.sequence()
	desk := &casework.Desk{Store: w.store, Ledger: w.ledger}
	ended := w.live(ana)
	_, err := w.auth.End(w.Context(), lena, ended, stead.CauseAgent)
	w.must(err)
	_, err = desk.WriteNote(w.Context(), lena, ended, stead.NewEventID(), "The plan of Ana Souza was shown wrongly.")
	w.must(err)
	w.sequence()
	first := w.live(bo)
	_, err = w.auth.End(w.Context(), priya, first, stead.CauseAdmin)
	w.must(err)
	_, err = desk.WriteNote(w.Context(), lena, first, stead.NewEventID(), "A note about Bo.")
	w.must(err)
	if _, err := w.start(ana, "no such category"); err == nil {
		w.Fatal("a start without a category")
	}
	never, err := w.start(ana, stead.CategoryTroubleshooting)
	w.must(err)
	_, err = w.auth.End(w.Context(), lena, never.Session.ID, stead.CauseNotOpened)
	w.must(err)
	w.record(audit.SessionObservedEnd, nil, nil, audit.Body{"cause": "agent"})
	w.sequence()
	_, err = desk.CheckIdentity(w.Context(), lena, ana.ID, stead.NewEventID(), true, true)
	w.must(err)
	w.opened = w.live(ana)
	w.sequence()
}

// options open the texts with the keys of this platform.
func (w *world) options() export.Options {
	w.Helper()
	ring, err := keys.OpenTexts(filepath.Join(w.dir, "platform.kek"))
	w.must(err)
	return export.Options{Texts: ring, Tool: "stead test"}
}

func (w *world) evidence() *sqlite.Evidence {
	w.Helper()
	e, err := sqlite.OpenEvidence(w.Context(), w.file())
	w.must(err)
	w.Cleanup(func() { _ = e.Close() })
	return e
}

// export writes a bundle and returns its path.
func (w *world) export(o export.Options) (string, bundle.Manifest) {
	w.Helper()
	path := filepath.Join(w.TempDir(), "bundle.zip")
	f, err := os.Create(path)
	w.must(err)
	m, err := export.Bundle(w.Context(), f, w.evidence(), o)
	w.must(err)
	w.must(f.Close())
	return path, m
}

// verify is the Go verifier with the bundle's own keys.
func verify(path string) (bundle.Proof, error) {
	b, err := bundle.Open(context.Background(), path)
	if err != nil {
		return bundle.Proof{}, err
	}
	defer func() { _ = b.Close() }()
	own, err := ownKeys(b)
	if err != nil {
		return bundle.Proof{}, err
	}
	return b.Verify(bundle.Check{Keys: own, OwnKeys: true})
}

// ownKeys are the keys that the bundle names.
func ownKeys(b *bundle.Bundle) (audit.LogKeys, error) {
	lines, err := b.Keys()
	if err != nil {
		return audit.LogKeys{}, err
	}
	keys, err := audit.ParseLogKeys(strings.Join(lines, "\n"))
	if err != nil {
		return keys, &audit.LedgerBroken{Place: -1, What: err.Error()}
	}
	return keys, nil
}
