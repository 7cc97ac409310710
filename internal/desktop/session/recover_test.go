package session_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/session"
)

func TestRecoverAfterAKill(t *testing.T) {
	d := newDesk(t)
	killed := d.control()
	s, err := killed.Start(t.Context(), ask("ana"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(d.journal)
	if err != nil || !strings.Contains(string(raw), string(s.ID)) || strings.Contains(string(raw), "ana") || strings.Contains(string(raw), "credential") {
		t.Errorf("journal %s, %v", raw, err)
	}
	d.breakStep("end", errNet) // the platform is away at first
	next := d.control()
	if _, err := next.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.breakStep("end", nil)
	if _, err := next.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d.endOf(s.ID) != stead.CauseSteadClosed {
		t.Errorf("platform %q", d.endOf(s.ID))
	}
	if kind, facts := d.last(); kind != audit.SessionObservedEnd || facts["recovered"] != true {
		t.Errorf("last record %s %v", kind, facts)
	}
	n := len(d.records)
	if _, err := next.Recover(context.Background()); err != nil || len(d.records) != n {
		t.Errorf("recovered twice: %v", err)
	}
}

func TestUnwrittenOutcomeIsWrittenAtTheNextStart(t *testing.T) {
	d := newDesk(t)
	d.breakStep("append session.outcome", stead.E(stead.CodeOutboxWrite, nil))
	if _, err := d.control().Start(t.Context(), ask("ana")); err == nil {
		t.Fatal("started although the outcome could not be written")
	}
	d.breakStep("append session.outcome", nil)
	if _, err := d.control().Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if kind, facts := d.last(); kind != audit.SessionObservedEnd || facts["recovered"] != true {
		t.Errorf("last record %s %v", kind, facts)
	}
}

// TestAnotherAgentsSessionIsNotEnded: whoever signs in after a crash neither ends nor answers for it.
func TestAnotherAgentsSessionIsNotEnded(t *testing.T) {
	d := newDesk(t)
	s, err := d.control().Start(t.Context(), ask("ana"))
	if err != nil {
		t.Fatal(err)
	}
	lead := session.Agent{ID: "st-boss", Pseudonym: stead.NewPseudonym()}
	if _, err := d.controlOf(lead).Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := d.endOf(s.ID); got != "" {
		t.Errorf("the platform was told %q", got)
	}
	e := d.lastEntry()
	if e.Kind != audit.SessionObservedEnd || !e.Actor.IsZero() || e.Session == nil || *e.Session != s.ID || e.Body["confirmed"] != false || e.Body["cleaned_up_by"] != "nobody" {
		t.Errorf("last record %+v", e)
	}
	n := len(d.records)
	if _, err := d.control().Recover(t.Context()); err != nil || len(d.records) != n {
		t.Errorf("recovered twice: %v", err)
	}
}

// TestStartKeepsWhatIsUnfinished: what Recover could not conclude is still concluded after other sessions.
func TestStartKeepsWhatIsUnfinished(t *testing.T) {
	d := newDesk(t)
	old, err := d.control().Start(t.Context(), ask("ana"))
	if err != nil {
		t.Fatal(err)
	}
	d.breakStep("end", errNet)
	next := d.control()
	if _, err := next.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.breakStep("end", nil)
	d.breakStep("start", stead.E(stead.CodePeer, nil))
	if _, err := next.Start(t.Context(), ask("bo")); err == nil {
		t.Fatal("started")
	}
	d.breakStep("start", nil)
	if _, err := next.Start(t.Context(), ask("bo")); err != nil {
		t.Fatal(err)
	}
	if _, err := next.End(t.Context(), stead.CauseAgent); err != nil {
		t.Fatal(err)
	}
	if _, err := d.control().Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := d.lastEntry(); d.endOf(old.ID) != stead.CauseSteadClosed || e.Body["recovered"] != true || *e.Session != old.ID {
		t.Errorf("platform %q, last record %+v", d.endOf(old.ID), e)
	}
	if raw, err := os.ReadFile(d.journal); err != nil || strings.Contains(string(raw), "intent") {
		t.Errorf("journal %s, %v", raw, err)
	}
}

// TestIntentThatMayExistGetsAnOutcome: a failed flush may have written the intent all the same.
func TestIntentThatMayExistGetsAnOutcome(t *testing.T) {
	d := newDesk(t)
	c := d.control()
	d.breakStep("append session.intent", stead.E(stead.CodeOutboxWrite, nil))
	if _, err := c.Start(t.Context(), ask("ana")); stead.CodeOf(err) != stead.CodeOutboxWrite {
		t.Fatal(err)
	}
	if _, err := c.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if kind, facts := d.last(); kind != audit.SessionOutcome || facts["result"] != "unknown" {
		t.Errorf("last record %s %v", kind, facts)
	}
}

// TestOutcomeSaysWhetherThePlatformAnswered: no answer to a start is no proof that there is no session.
func TestOutcomeSaysWhetherThePlatformAnswered(t *testing.T) {
	for code, want := range map[stead.Code]bool{stead.CodePeer: true, stead.CodeUnreachable: false, stead.CodeSignInRequired: false, stead.CodeVersion: false} {
		t.Run(string(code), func(t *testing.T) {
			d := newDesk(t)
			d.breakStep("start", stead.E(code, nil))
			if _, err := d.control().Start(t.Context(), ask("ana")); stead.CodeOf(err) != code {
				t.Fatal(err)
			}
			if _, facts := d.last(); facts["confirmed"] != want {
				t.Errorf("last record %v", facts)
			}
		})
	}
	t.Run("never asked", func(t *testing.T) {
		d := newDesk(t)
		d.breakStep("drain", errNet)
		if _, err := d.control().Start(t.Context(), ask("ana")); err == nil {
			t.Fatal("started")
		}
		if _, facts := d.last(); facts["confirmed"] != true {
			t.Errorf("last record %v", facts)
		}
	})
}
