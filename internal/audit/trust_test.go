package audit_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"
)

// handed is a handover to a key at an hour, signed by a log's key (who is "") or by people.
func handed(t *testing.T, to byte, hour int, by ...any) []byte {
	t.Helper()
	h := audit.Handover{Origin: "log.test", Key: vkeyOf(t, "log.test", to), At: time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC)}
	text, err := h.Text()
	note := []byte(text)
	for i := 0; i < len(by) && err == nil; i += 2 {
		note, err = audit.SignStatement(note, by[i].(string), keyOf(byte(by[i+1].(int))))
	}
	if err != nil {
		t.Fatal(err)
	}
	return note
}

// TestFollow: to which key statements lead, and which older ones may say how the log is now.
func TestFollow(t *testing.T) {
	const log = "log.test"
	kept := vkeyOf(t, log, 1) + "\nrecovery " + vkeyOf(t, "alice", 11) + "\n recovery  " + vkeyOf(t, "bob", 12) + "\n"
	file, err := audit.ParseKeyFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	rotated, replaced := handed(t, 2, 1, log, 1), handed(t, 3, 2, "alice", 11, "bob", 12)
	for name, c := range map[string]struct {
		statements [][]byte
		now        []byte // keys that may sign the newest checkpoint
		known      []byte // keys that only older ones may have
	}{
		"nothing":                        {nil, []byte{1}, nil},
		"a handover":                     {[][]byte{rotated}, []byte{1, 2}, nil},
		"one after the other":            {[][]byte{rotated, handed(t, 4, 2, log, 2)}, []byte{1, 2, 4}, nil},
		"out of order":                   {[][]byte{handed(t, 4, 2, log, 2), rotated}, []byte{1, 2}, nil},
		"by the people":                  {[][]byte{rotated, replaced}, []byte{3}, []byte{1, 2}},
		"by the thief afterwards":        {[][]byte{rotated, replaced, handed(t, 66, 3, log, 2)}, []byte{3}, []byte{1, 2}},
		"the thief signs it as well":     {[][]byte{rotated, handed(t, 3, 2, "alice", 11, "bob", 12, log, 2)}, []byte{3}, []byte{1, 2}},
		"by one of them":                 {[][]byte{handed(t, 3, 2, "alice", 11)}, []byte{1}, nil},
		"by one of them twice":           {[][]byte{handed(t, 3, 2, "alice", 11, "alice", 11)}, []byte{1}, nil},
		"an earlier one of the people's": {[][]byte{replaced, handed(t, 5, 1, "alice", 11, "bob", 12)}, []byte{3}, []byte{1}},
		"on behind the people's":         {[][]byte{replaced, handed(t, 4, 3, log, 3)}, []byte{3, 4}, []byte{1}},
		"of a stranger":                  {[][]byte{handed(t, 66, 1, log, 66)}, []byte{1}, nil},
		"no statement":                   {[][]byte{[]byte("text")}, []byte{1}, nil},
	} {
		keys, err := file.Follow(c.statements)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, n := range []byte{1, 2, 3, 4, 5, 66} {
			note, err := audit.SignCheckpoint(keyOf(n), audit.Checkpoint{Origin: log, Size: 1})
			if err != nil {
				t.Fatal(err)
			}
			_, newest := keys.OpenNewest(note)
			_, older := keys.Open(note)
			now := slices.Contains(c.now, n)
			known := now || slices.Contains(c.known, n)
			if (newest == nil) != now || (older == nil) != known || newest != nil && !errors.Is(newest, audit.ErrUnknownKey) {
				t.Errorf("%s: key %d: newest %v, older %v", name, n, newest, older)
			}
		}
	}
	for name, text := range map[string]string{
		"no key of the log": strings.SplitN(kept, "\n", 2)[1],
		"one of the people": strings.SplitN(kept, "\n recovery", 2)[0],
		"a person twice":    kept + "recovery " + vkeyOf(t, "bob", 13),
		"no key":            kept + "text",
	} {
		if _, err := audit.ParseKeyFile(text); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
}
