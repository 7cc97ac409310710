package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// TestKilledAtEachStepOfAStart kills the desktop at every request of a start, before and after the platform carried
// it out, starts it again, and holds what platform, disk and process list say to one true story.
func TestKilledAtEachStepOfAStart(t *testing.T) {
	s := newScene(t)
	for n := 0; ; n++ {
		live := false
		for _, after := range []bool{false, true} {
			cmd, lines, goOn := s.spawn(true)
			if got := s.expect(lines); got != "ready" {
				t.Fatalf("child says %q", got)
			}
			s.assassin.arm(n, after, func() { _ = cmd.Process.Kill() })
			goOn()
			if s.expect(lines) == "live" { // beyond the last step: kill a session that lives
				live = true
				s.assassin.arm(0, after, nil)
				_ = cmd.Process.Kill()
			}
			_ = cmd.Wait()
			where := fmt.Sprintf("request %d (%s), after=%v", n, s.assassin.struck(), after)
			t.Log(where)
			s.browsersGone(where)
			s.recover(where)
			s.story(where)
		}
		if live {
			if n < 5 {
				t.Errorf("a start took only %d requests", n)
			}
			return
		}
	}
}

func (s *scene) recover(where string) {
	s.Helper()
	cmd, lines, _ := s.spawn(false)
	for _, want := range []string{"ready", "recovered"} {
		if got := s.expect(lines); got != want {
			s.Fatalf("%s: the next desktop says %q, want %q", where, got, want)
		}
	}
	if err := cmd.Wait(); err != nil {
		s.Fatal(err)
	}
}

// browsersGone checks that no process still names the sessions folder within a second of the kill.
func (s *scene) browsersGone(where string) {
	s.Helper()
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var alive []string
		entries, err := os.ReadDir("/proc")
		if err != nil {
			s.Fatal(err)
		}
		for _, e := range entries {
			cmdline, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
			if err == nil && strings.Contains(string(cmdline), s.orders.Desk.CacheDir) {
				alive = append(alive, e.Name())
			}
		}
		if len(alive) == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.Errorf("%s: the browser outlives Stead: %v", where, alive)
			return
		}
	}
}

// story checks what must be true whenever a desktop was killed and has come back.
func (s *scene) story(where string) {
	s.Helper()
	err := s.demo.platform.Store.View(s.Context(), func(tx store.Tx) error {
		entries, err := tx.Trail(store.TrailFilter{Limit: 10000})
		if err != nil {
			return err
		}
		s.intents(where, entries)
		sessions, _, err := tx.ListSessions(store.SessionFilter{Limit: 100})
		if err != nil {
			return err
		}
		for _, row := range sessions {
			s.sessionStory(where, tx, row, entries)
		}
		return nil
	})
	if err != nil {
		s.Errorf("%s: %v", where, err)
	}
	left := 0
	_ = filepath.WalkDir(filepath.Join(s.orders.Desk.CacheDir, "sessions"), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && e.Name() != "lock" && !strings.HasPrefix(e.Name(), ".") {
			left++
		}
		return nil
	})
	if left > 0 {
		s.Errorf("%s: %d files of the browser are left", where, left)
	}
}

// intents: each intent that arrived has a later record of the device that says what came of it.
func (s *scene) intents(where string, newestFirst []store.IntakeEntry) {
	s.Helper()
	answered := map[string]bool{}
	for _, e := range newestFirst {
		rec, err := audit.Decode(e.Envelope)
		if err != nil {
			s.Fatal(err)
		}
		if rec.Ref != nil && rec.Kind.FromDevice() {
			answered[rec.Ref.String()] = true
		}
		if rec.Kind == audit.SessionIntent && !answered[rec.EventID.String()] {
			s.Errorf("%s: intent %s has no outcome", where, rec.EventID)
		}
	}
}

func (s *scene) sessionStory(where string, tx store.Tx, row store.SessionRow, entries []store.IntakeEntry) {
	s.Helper()
	var kinds []string
	intent, started := int64(0), int64(0)
	for i := len(entries) - 1; i >= 0; i-- {
		e := entries[i]
		if e.EventID == row.RequestKey {
			intent = e.Index
		}
		if e.Session == row.ID {
			kinds = append(kinds, e.Kind)
			if e.Kind == string(audit.SessionStarted) {
				started = e.Index
			}
		}
	}
	story := strings.Join(kinds, " ")
	if intent == 0 || started < intent {
		s.Errorf("%s: session %s began without its intent", where, row.ID)
	}
	if row.State != stead.StateEnded && time.Since(row.StartedAt) > stead.HandoffTTL {
		s.Errorf("%s: session %s still lives", where, row.ID)
	}
	if row.State == stead.StateEnded && strings.Count(story, string(audit.SessionEnded)) != 1 {
		s.Errorf("%s: session %s has not one end: %s", where, row.ID, story)
	}
	if opened := !row.OpenedAt.IsZero(); opened != strings.Contains(story, string(audit.SessionOpened)) || opened && row.State != stead.StateEnded {
		s.Errorf("%s: session %s: opened %v, state %s, trail %s", where, row.ID, opened, row.State, story)
	}
	told := 0
	notices, err := tx.Notices(row.Member, 1000)
	if err != nil {
		s.Fatal(err)
	}
	for _, n := range notices {
		if n.Session == row.ID {
			told++
		}
	}
	want := 0
	if !row.OpenedAt.IsZero() {
		want = 2
	}
	if told != want {
		s.Errorf("%s: the member was told %d times of session %s (%s), want %d", where, told, row.ID, story, want)
	}
}
