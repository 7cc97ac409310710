package vault

import "testing"

// TestKnowsMakesNothing: asking whether there are keys leaves the keyring as it is.
func TestKnowsMakesNothing(t *testing.T) {
	v := openVault(t)
	know := func(want bool) {
		t.Helper()
		if got, err := v.Knows(t.Context(), "outbox"); err != nil || got != want {
			t.Errorf("Knows: %v, %v; want %v", got, err, want)
		}
	}
	know(false)
	know(false)
	if _, err := v.DeviceSigner(t.Context()); err != nil {
		t.Fatal(err)
	}
	know(false)
	if _, err := v.Sealer(t.Context(), "outbox"); err != nil {
		t.Fatal(err)
	}
	know(true)
}
