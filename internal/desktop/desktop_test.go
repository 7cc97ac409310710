package desktop

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/outbox"
	"stead/internal/desktop/session"
)

func recovery() outbox.Entry { return outbox.Entry{Kind: audit.DeviceRecovery} }

func TestAnotherPersonBeginsAndTheWorkBeforeEnds(t *testing.T) {
	s := newServer(t)
	i := s.installation()
	d := i.desk()
	i.begin(d)
	ctl, err1 := d.Session()
	ob, err2 := d.Outbox()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	s.revoke("st-ada")
	// A token that was on its way when the sign-in was revoked may be good once more. And there is no error when the
	// outbox's own request met the refusal first: signing in is then simply the next thing to do.
	stage, _, err := d.Connect(t.Context())
	for tries := 0; stage == StageReady && tries < 5; tries++ {
		stage, _, err = d.Connect(t.Context())
	}
	if stage != StageSignedOut || err != nil && stead.CodeOf(err) != stead.CodeSignInRequired {
		t.Fatalf("stage %s, %v", stage, err)
	}
	s.choose("st-bea")
	i.begin(d)
	if me, ok := d.Me(); !ok || me.ID != "st-bea" {
		t.Errorf("%+v works here", me)
	}
	if _, err := ctl.Start(t.Context(), session.Ask{}); stead.CodeOf(err) != stead.CodeSignInRequired {
		t.Errorf("the earlier control still starts: %v", err)
	}
	if _, err := ob.Append(t.Context(), recovery()); err == nil {
		t.Error("the earlier outbox is still open")
	}
	if ctl2, err := d.Session(); err != nil || ctl2 == ctl {
		t.Errorf("the same control, %v", err)
	}
}

// TestWorkUsesNoOtherPersonsToken: not while somebody signs in, and not afterwards.
func TestWorkUsesNoOtherPersonsToken(t *testing.T) {
	s := newServer(t)
	i := s.installation()
	d := i.desk()
	i.begin(d)
	ada, bea := ownTokens{d, "st-ada"}, ownTokens{d, "st-bea"}
	may := func(who ownTokens) bool {
		_, err := who.Token(t.Context())
		return err == nil
	}
	if !may(ada) || may(bea) {
		t.Error("Ada has no token, or Bea has")
	}
	during := false
	i.open = func(string) error { during = may(ada); return nil }
	s.choose("st-bea")
	entered, release := s.holdMe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		i.begin(d)
	}()
	<-entered // signed in, and nobody knows yet who it is
	if during || may(ada) {
		t.Errorf("Ada's work got a token while Bea signed in: %v, before Bea was known: %v", during, may(ada))
	}
	release()
	<-done
	if may(ada) || !may(bea) {
		t.Errorf("Ada's work gets a token: %v; Bea's does: %v", may(ada), may(bea))
	}
	i.open = func(string) error { return errors.New("no browser") }
	if _, _, err := d.Begin(t.Context()); stead.CodeOf(err) != stead.CodeSignInFailed || !may(bea) {
		t.Errorf("a sign-in that fails (%v) takes the token from who is signed in", err)
	}
}

// TestLeftSessionIsNotEndedByTheNextPerson: see session.Recover; here with the real parts.
func TestLeftSessionIsNotEndedByTheNextPerson(t *testing.T) {
	s := newServer(t)
	i := s.installation()
	raw, err := json.Marshal([]map[string]string{{"intent": stead.NewEventID().String(), "agent": "st-ada", "subject": stead.NewPseudonym().String(),
		"session": string(stead.NewSessionID())}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(i.dir, "journal.json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	d := i.desk()
	s.choose("st-bea")
	i.begin(d)
	i.drained(d)
	got := s.received()
	if len(s.ends) != 0 || len(got) != 1 || got[0].Kind != audit.SessionObservedEnd || !got[0].Actor.IsZero() {
		t.Errorf("ended %v, records %+v", s.ends, got)
	}
}

func (i *installation) drained(d *Desk) {
	i.s.Helper()
	ob, err := d.Outbox()
	if err != nil {
		i.s.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(i.s.Context(), 10*time.Second)
	defer cancel()
	if err := ob.WaitDrained(ctx, ob.State().Head); err != nil {
		i.s.Fatal(err)
	}
}

// TestLateBeginBringsNoWorkBack: who signed out or closed while the platform was asked stays out.
func TestLateBeginBringsNoWorkBack(t *testing.T) {
	for name, leave := range map[string]func(*Desk, context.Context) error{"sign-out": (*Desk).SignOut, "close": (*Desk).Close} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			i := s.installation()
			d := i.desk()
			i.begin(d)
			entered, release := s.holdMe()
			late := make(chan Stage, 1)
			go func() {
				stage, _, _ := d.Connect(t.Context())
				late <- stage
			}()
			<-entered
			if err := leave(d, t.Context()); err != nil {
				t.Error(err)
			}
			release()
			if stage := <-late; stage != StageSignedOut {
				t.Errorf("stage %s", stage)
			}
			if me, ok := d.Me(); ok {
				t.Errorf("%s works here", me.ID)
			}
		})
	}
}

// TestCloseBreaksABeginOff that would have gone on to work.
func TestCloseBreaksABeginOff(t *testing.T) {
	s := newServer(t)
	i := s.installation()
	asked := make(chan struct{})
	i.code = func(ctx context.Context) (string, error) {
		close(asked)
		<-ctx.Done()
		return "code", nil
	}
	d := i.desk()
	begun := make(chan Stage, 1)
	go func() {
		stage, _, _ := d.Begin(t.Context())
		begun <- stage
	}()
	<-asked
	if err := d.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if stage := <-begun; stage == StageReady {
		t.Error("ready")
	}
	if _, ok := d.Me(); ok {
		t.Error("somebody works here after Close")
	}
}

// TestConnectsSideBySide is for the race detector, and holds that one work comes of many.
func TestConnectsSideBySide(t *testing.T) {
	s := newServer(t)
	i := s.installation()
	d := i.desk()
	i.begin(d)
	ctl, err := d.Session()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 10 {
				if stage, _, err := d.Connect(t.Context()); stage != StageReady || err != nil {
					t.Errorf("stage %s, %v", stage, err)
				}
			}
		})
	}
	all.Wait()
	if again, err := d.Session(); err != nil || again != ctl {
		t.Errorf("another control, %v", err)
	}
}

// restart closes the desk, does something to the folder, and comes back without a sign-in.
func (i *installation) restart(d *Desk, meanwhile func()) *Desk {
	i.s.Helper()
	if err := d.Close(i.s.Context()); err != nil {
		i.s.Fatal(err)
	}
	meanwhile()
	d = i.desk()
	if stage, _, err := d.Connect(i.s.Context()); err != nil || stage != StageReady {
		i.s.Fatalf("stage %s, %v", stage, err)
	}
	i.drained(d)
	return d
}

func TestDeletedOutboxIsReported(t *testing.T) {
	s := newServer(t)
	i := s.installation()
	file := filepath.Join(i.dir, "outbox-"+s.deviceID+".db")
	remove := func() {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	d := i.desk()
	i.begin(d)
	d = i.restart(d, func() {})
	if got := s.received(); len(got) != 0 {
		t.Fatalf("a whole outbox is reported: %+v", got)
	}
	d = i.restart(d, remove)
	d = i.restart(d, func() {}) // once is enough
	got := s.received()
	if len(got) != 1 || got[0].Kind != audit.DeviceRecovery || got[0].Seq != 1 || !got[0].Actor.IsZero() || got[0].Body["why"] != "outbox_missing" {
		t.Fatalf("records %+v", got)
	}
	if err := d.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestDeviceIDMustBeOne(t *testing.T) {
	for _, id := range []string{"../../../../tmp/x", "00112233445566778899AABBCCDDEEFF", "0011", "", "00112233445566778899aabbccddeeff00"} {
		t.Run(fmt.Sprintf("%q", id), func(t *testing.T) {
			s := newServer(t)
			s.deviceID = id
			i := s.installation()
			if stage, _, err := i.desk().Begin(t.Context()); stage == StageReady || stead.CodeOf(err) != stead.CodeVersion {
				t.Errorf("stage %s, %v", stage, err)
			}
			if found, err := filepath.Glob(filepath.Join(i.dir, "*.*")); err != nil || len(found) != 0 {
				t.Errorf("written: %v, %v", found, err)
			}
		})
	}
}

func TestDeviceFileThatNamesNoDeviceIsRefused(t *testing.T) {
	s := newServer(t)
	i := s.installation()
	if err := os.WriteFile(filepath.Join(i.dir, "device.json"), []byte(`{"device_id":"../x","platform_instance":"`+"abababababababababababababababab"+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	stage, _, err := i.desk().Begin(t.Context())
	var coded *stead.Error
	if stage != StageEnrol || !errors.As(err, &coded) || coded.Code != stead.CodeOutboxDamaged || coded.Detail != "device.json" {
		t.Errorf("stage %s, %v", stage, err)
	}
}

// TestTheLogsKeysArePinnedOnce, when the device is enrolled; one that was enrolled without them gets them at its next
// contact, and nothing changes them afterwards.
func TestTheLogsKeysArePinnedOnce(t *testing.T) {
	s := newServer(t)
	i := s.installation()
	d := i.desk()
	i.begin(d)
	pinned := func() trust {
		t.Helper()
		raw, err := os.ReadFile(d.deviceFile())
		var dev device
		if err = errors.Join(err, json.Unmarshal(raw, &dev)); err != nil {
			t.Fatal(err)
		}
		return dev.Trust
	}
	first := pinned()
	if first.Origin != logOrigin || len(first.LogKeys) != 1 {
		t.Fatalf("pinned %+v", first)
	}
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	forked := func(d *Desk) bool {
		t.Helper()
		ob, err := d.Outbox()
		if err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if ob.State().Blocked == stead.CodeLogForked {
				return true
			}
		}
		return false
	}
	d = i.restart(d, func() { s.mu.Lock(); defer s.mu.Unlock(); s.logKey = other })
	if now := pinned(); now.LogKeys[0] != first.LogKeys[0] {
		t.Errorf("pinned anew: %+v", now)
	}
	if !forked(d) {
		t.Error("another key signs the log, and nothing is said")
	}
	d = i.restart(d, func() {
		if err := d.save(device{ID: stead.DeviceID(s.deviceID), Instance: d.platform().Instance, Outbox: true}); err != nil {
			t.Fatal(err)
		}
	})
	if now := pinned(); len(now.LogKeys) != 1 || now.LogKeys[0] == first.LogKeys[0] {
		t.Errorf("pinned %+v", now)
	}
}
