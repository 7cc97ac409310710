package erasure_test

import (
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// refusal records that an agent asked for a session with a member and got none.
func (p *place) refusal(agent stead.StaffID, m stead.MemberID, reason string) {
	p.Helper()
	p.update(func(tx store.Tx) error {
		a, err := tx.Staff(agent)
		if err != nil {
			return err
		}
		who, err := tx.Member(m)
		if err != nil {
			return err
		}
		return p.ledger.Write(tx, ledger.Entry{Kind: audit.SessionRefused, Actor: a.Pseudonym, Subject: who.Pseudonym, Texts: map[string]string{"reason": reason}})
	})
}

// TestAHoldOnAnAgentKeepsWhatTheyWereRefused: the text lies under the key of the member, with whom there is no session.
func TestAHoldOnAnAgentKeepsWhatTheyWereRefused(t *testing.T) {
	p := newPlace(t)
	p.refusal("st-1", "m-1", "somebody I know")
	p.refusal("st-2", "m-2", "of another agent")
	p.must(p.hold(staff("st-1")))
	p.want(p.erase(member("m-1")), stead.CodeLegalHold)
	p.must(p.erase(member("m-2")))
	p.office.Days = 30
	p.store.now = start.AddDate(0, 6, 0)
	p.must(p.office.Sweep(t.Context()))
	var refused []ledger.Line
	find := func() []ledger.Line { return p.lines(store.TrailFilter{Kind: string(audit.SessionRefused)}) }
	if refused = find(); refused[1].Texts["reason"] != "somebody I know" || refused[0].State != ledger.TextsErased {
		t.Errorf("held: %+v", refused)
	}
	p.must(p.release(staff("st-1")))
	p.must(p.office.Sweep(t.Context()))
	if refused = find(); refused[1].State != ledger.TextsErased {
		t.Errorf("after the release: %+v", refused[1])
	}
	p.must(p.erase(member("m-1")))
	p.verify()
}
