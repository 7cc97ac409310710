package ledger_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/keys"
	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// TestTextsAreHeldToTheirCommitments: what lies beside a record is shown only if it is what the record commits to.
func TestTextsAreHeldToTheirCommitments(t *testing.T) {
	b := newBench(t)
	ring, err := keys.Open(t.Context(), b.store, filepath.Join(b.dir, "kek"))
	if err != nil {
		t.Fatal(err)
	}
	reason, name := audit.NewText("reason", "plan page shows an error"), audit.NewText("name", "Ana Souza")
	other := reason
	other.Value = "something else"
	salted := reason
	salted.Salt[0] ^= 1
	type line struct {
		N string `json:"n"`
		S []byte `json:"s"`
		V string `json:"v"`
	}
	plain := func(texts ...audit.Text) []byte {
		var out []line
		for _, x := range texts {
			out = append(out, line{x.Name, x.Salt[:], x.Value})
		}
		raw, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	both := []audit.Text{reason, name}
	for what, c := range map[string]struct {
		commits []audit.Text
		beside  []byte // nil for none
		spoil   func([]byte) []byte
		want    ledger.TextsState
		texts   int
	}{
		"all of them":             {both, plain(name, reason), nil, ledger.TextsOK, 2},
		"none":                    {nil, nil, nil, ledger.TextsNone, 0},
		"one of two":              {both, plain(reason), nil, ledger.TextsWithheld, 1},
		"none of two":             {both, nil, nil, ledger.TextsWithheld, 0},
		"another text":            {both, plain(name, other), nil, ledger.TextsBroken, 0},
		"another salt":            {both, plain(name, salted), nil, ledger.TextsBroken, 0},
		"one it does not name":    {both[:1], plain(reason, name), nil, ledger.TextsBroken, 0},
		"one that comes twice":    {both, plain(reason, reason), nil, ledger.TextsBroken, 0},
		"no list":                 {both, []byte("{}"), nil, ledger.TextsBroken, 0},
		"a short salt":            {both[:1], []byte(`[{"n":"reason","s":"AA==","v":"x"}]`), nil, ledger.TextsBroken, 0},
		"a changed byte":          {both, plain(name, reason), func(s []byte) []byte { s[len(s)-1] ^= 1; return s }, ledger.TextsBroken, 0},
		"a month nobody had":      {both, plain(name, reason), func(s []byte) []byte { s[11] ^= 0x40; return s }, ledger.TextsBroken, 0},
		"too few bytes to be one": {both, plain(name, reason), func(s []byte) []byte { return s[:20] }, ledger.TextsBroken, 0},
	} {
		t.Run(what, func(t *testing.T) {
			rec := audit.Record{Device: b.ledger.Instance(), Epoch: b.epoch, WallMS: 1, Kind: audit.IdentityChecked, EventID: stead.NewEventID(), Actor: agent.Pseudonym, Subject: &member.Pseudonym}
			rec.Commit(c.commits)
			envelope, err := rec.Encode()
			if err != nil {
				t.Fatal(err)
			}
			b.update(func(tx store.Tx) error {
				e := store.IntakeEntry{EventID: rec.EventID, Leaf: audit.Leaf(envelope), Envelope: envelope, Kind: string(rec.Kind), Actor: agent.Pseudonym, Subject: member.Pseudonym,
					TextsOf: member.Pseudonym, ReceivedAt: tx.Now()}
				if c.beside != nil {
					if e.SealedTexts, err = ring.SealFor(tx, member.Pseudonym, c.beside); err != nil {
						return err
					}
				}
				if c.spoil != nil {
					e.SealedTexts = c.spoil(e.SealedTexts)
				}
				_, err := tx.AppendIntake(e)
				return err
			})
			b.update(func(tx store.Tx) error {
				lines, err := b.ledger.Trail(tx, store.TrailFilter{Limit: 1})
				if err != nil {
					return err
				}
				if got := lines[0]; got.State != c.want || len(got.Texts) != c.texts {
					t.Errorf("%s with %d texts, want %s with %d", got.State, len(got.Texts), c.want, c.texts)
				}
				return nil
			})
		})
	}
}
