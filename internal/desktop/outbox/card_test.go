package outbox

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stead/internal/audit"
)

// TestACardThatNamesNoDeviceIsNone: anybody can make a card's checksum, and the evidence is called after the device.
func TestACardThatNamesNoDeviceIsNone(t *testing.T) {
	w := newWreck(t)
	for name, bend := range map[string]func(*card){
		"a path":          func(c *card) { c.Device = "x/../../../../planted" },
		"a long name":     func(c *card) { c.Device = strings.Repeat("x", 300) },
		"capitals":        func(c *card) { c.Device = strings.ToUpper(string(secondDevice)) },
		"a line break":    func(c *card) { c.Device = string(secondDevice) + "\n" },
		"no generation":   func(c *card) { c.Generation = math.MaxUint64 },
		"one bit too big": func(c *card) { c.Generation = math.MaxInt64 + 1 },
	} {
		c, _, err := decodeCard(w.cards[0])
		if err != nil {
			t.Fatal(err)
		}
		c.Generation += 5
		bend(&c)
		if _, _, err := decodeCard(c.encode()); err == nil {
			t.Errorf("%s is taken for a card", name)
		}
		folder := t.TempDir()
		path := filepath.Join(folder, "a", "b", "outbox.db")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(w.spoiled(35), c.encode()...), 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := Recover(t.Context(), path, testConfig()); err != nil || r.Salvaged != 29 || r.Missing != "35" || !strings.HasPrefix(r.Evidence, "outbox-"+string(testDevice)+"-g1-") {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if all, err := os.ReadDir(folder); err != nil || len(all) != 1 {
			t.Errorf("%s: %v lie beside the folder, %v", name, all, err)
		}
	}
}

// TestASecondCardHidesNothing: who writes a card with another epoch into the file copies the key that opens it.
func TestASecondCardHidesNothing(t *testing.T) {
	w := newWreck(t)
	for name, bend := range map[string]func(*card){
		"that does not open":   func(c *card) { c.Generation += 5 },
		"that opens":           func(*card) {},
		"of another device":    func(c *card) { c.Device = string(secondDevice) },
		"with no platform key": func(c *card) { c.Generation, c.Platform = c.Generation+5, nil },
	} {
		for _, before := range []bool{true, false} {
			c, _, err := decodeCard(w.cards[0])
			if err != nil {
				t.Fatal(err)
			}
			c.Epoch = audit.NewEpoch()
			bend(&c)
			data := w.spoiled(41, 42, 43, 60)
			if clear(data[:64]); before {
				data = append(c.encode(), data...)
			} else {
				data = append(data, c.encode()...)
			}
			path := newPath(t)
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if r, err := Recover(t.Context(), path, testConfig()); err != nil || r.Missing != "41-43, 60" || r.Salvaged != 26 {
				t.Errorf("one %s: %+v, %v", name, r, err)
			}
		}
	}
}

// TestASecondCardWithoutAHeadHidesNothing: the head is gone too, so that nothing tells which card is the device's own.
func TestASecondCardWithoutAHeadHidesNothing(t *testing.T) {
	w := newWreck(t)
	c, _, err := decodeCard(w.cards[0])
	if err != nil {
		t.Fatal(err)
	}
	c.Epoch = audit.NewEpoch()
	data := bytes.ReplaceAll(w.spoiled(41, 42, 43), []byte("head"), []byte("dead"))
	path := newPath(t)
	if err := os.WriteFile(path, append(c.encode(), data...), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := Recover(t.Context(), path, testConfig()); err != nil || r.Missing != w.epoch.String()+" 41-43" || r.Salvaged != 27 {
		t.Errorf("%+v, %v", r, err)
	}
}
