package outbox

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
