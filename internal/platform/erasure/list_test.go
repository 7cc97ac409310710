package erasure_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stead/internal/stead"

	"stead/internal/platform/store"
)

// TestALineWrittenByHandErasesNobody: nor does one with the mark of somebody who was erased.
func TestALineWrittenByHandErasesNobody(t *testing.T) {
	p := newPlace(t)
	var said bytes.Buffer
	p.office.Log = slog.New(slog.NewTextHandler(&said, nil))
	p.visit("st-1", "m-1")
	p.visit("st-1", "m-3")
	id := p.visit("st-1", "m-2")
	p.must(p.erase(member("m-1")))
	file := filepath.Join(p.dir, "erased")
	list, err := os.ReadFile(file)
	p.must(err)
	_, mark, found := strings.Cut(strings.TrimSpace(string(list)), " ")
	if !found {
		t.Fatalf("the list is %q", list)
	}
	var who stead.Pseudonym
	p.update(func(tx store.Tx) error {
		m, err := tx.Member("m-2")
		who = m.Pseudonym
		return err
	})
	p.must(p.office.Reapply(t.Context()))
	if said.Len() > 0 {
		t.Errorf("the platform's own list: %s", said.String())
	}
	for name, line := range map[string]string{"without a mark": who.String(), "with no mark": who.String() + " 00ff", "with another's": who.String() + " " + mark} {
		said.Reset()
		p.must(os.WriteFile(file, []byte(string(list)+line+"\n"), 0o600))
		p.must(p.office.Reapply(t.Context()))
		if s := p.session(id); s.Note == "" {
			t.Fatalf("%s: it erased somebody", name)
		}
		if !strings.Contains(said.String(), "ALARM") || !strings.Contains(said.String(), who.String()) {
			t.Errorf("%s: nobody was told: %s", name, said.String())
		}
	}
	p.must(p.erase(member("m-3"))) // what is strange stays, beside what is new
	after, err := os.ReadFile(file)
	p.must(err)
	if strings.Count(string(after), "\n") != 3 || !strings.Contains(string(after), strings.TrimSpace(string(list))) {
		t.Errorf("the list is\n%s", after)
	}
}
