package cli

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/desktop"
	"stead/internal/stead"

	"stead/internal/desktop/outbox"
	"stead/internal/desktop/vault"
	"stead/internal/platform/store"
)

// between stands before the platform and can keep records away from it.
type between struct {
	next   http.Handler
	closed atomic.Bool // no records get through
}

func (b *between) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case b.closed.Load() && strings.HasPrefix(r.URL.Path, "/v1/audit/"):
		http.Error(w, "closed", http.StatusServiceUnavailable)
	default:
		b.next.ServeHTTP(w, r)
	}
}

// desk opens a desktop in this process and signs somebody in.
func (s *scene) desk() *desktop.Desk {
	s.Helper()
	o := s.orders.Desk
	d, err := desktop.Open(s.Context(), desktop.Config{PlatformURL: o.PlatformURL, DataDir: o.DataDir, CacheDir: o.CacheDir, Keyring: o.Keyring,
		DeviceName: "test", Log: slog.New(slog.DiscardHandler), EnrolmentCode: s.demo.desk().EnrolmentCode,
		OpenBrowser: func(url string) error { return choosePerson(s.Context(), url, "st-lena") }})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = d.Close(context.Background()) })
	if stage, _, err := d.Begin(s.Context()); err != nil || stage != desktop.StageReady {
		s.Fatalf("stage %s: %v", stage, err)
	}
	return d
}

// TestResetKeyringLosesNoRecord: the records that were still on the machine when its keyring lost all keys arrive at
// the platform, which alone can read them, under the old device and marked, texts included.
func TestResetKeyringLosesNoRecord(t *testing.T) {
	s := newScene(t)
	b := &between{next: s.assassin.next}
	s.assassin.next = b
	before := s.desk()
	ob, err := before.Outbox()
	if err != nil {
		t.Fatal(err)
	}
	me, _ := before.Me()
	actor, err := stead.ParsePseudonym(me.Pseudonym)
	if err != nil {
		t.Fatal(err)
	}
	observe := func() outbox.Placed {
		p, err := ob.Append(t.Context(), outbox.Entry{Kind: audit.SessionObservedEnd, Actor: actor, Texts: []audit.Text{audit.NewText("reason", "the last thing it knew")}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	arrived := observe()
	if err := ob.WaitDrained(t.Context(), arrived.Seq); err != nil {
		t.Fatal(err)
	}
	b.closed.Store(true)
	var stuck []outbox.Placed
	for range 300 {
		stuck = append(stuck, observe())
	}
	device := deviceID(t, s.orders.Desk.DataDir)
	if err := before.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(t.Context(), s.orders.Desk.Keyring)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"device-key", "outbox", "refresh-token"} {
		if err := v.Forget(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	b.closed.Store(false)

	after := s.desk()
	if now := deviceID(t, s.orders.Desk.DataDir); now == device {
		t.Fatal("it is still the device it was")
	}
	r, ok := after.Recovery()
	if !ok || r.Why != outbox.WhyKeyringReset || !r.Sealed || r.Salvaged != 0 {
		t.Errorf("%v %+v", ok, r)
	}
	s.eventually(func() bool { return s.marked(device, stuck) })
	s.eventually(func() bool { r, _ := after.Recovery(); return r.Confirmed && r.Refused == "" })
	if entry := s.entry(device, arrived); entry.Doubt != "" {
		t.Errorf("what had arrived before is doubted: %q", entry.Doubt)
	}
	if _, err := os.Stat(r.File); err != nil {
		t.Error(err)
	}
}

func deviceID(t *testing.T, dir string) stead.DeviceID {
	t.Helper()
	var dev struct {
		ID stead.DeviceID `json:"device_id"`
	}
	raw, err := os.ReadFile(filepath.Join(dir, "device.json"))
	if err != nil || json.Unmarshal(raw, &dev) != nil {
		t.Fatalf("%s, %v", raw, err)
	}
	return dev.ID
}

// entry is what the platform holds of a record; the zero entry when it holds none.
func (s *scene) entry(device stead.DeviceID, p outbox.Placed) (e store.IntakeEntry) {
	s.Helper()
	id, err := stead.ParsePseudonym(string(device))
	if err != nil {
		s.Fatal(err)
	}
	_ = s.demo.platform.Store.View(s.Context(), func(tx store.Tx) error {
		e, err = tx.IntakeAt(id, p.Epoch, p.Seq)
		return err
	})
	return e
}

// marked reports whether all of them are there, as they were written, with their texts, and marked as late.
func (s *scene) marked(device stead.DeviceID, placed []outbox.Placed) bool {
	for _, p := range placed {
		e := s.entry(device, p)
		if e.Leaf == [32]byte{} {
			return false
		}
		if e.Leaf != p.Leaf || e.Doubt != "late_untrusted" || len(e.SealedTexts) == 0 {
			s.Fatalf("record %d: %+v", p.Seq, e)
		}
	}
	return true
}

func (s *scene) eventually(done func() bool) {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatal("it did not happen within 20 s")
		}
	}
}
