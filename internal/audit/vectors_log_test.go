package audit

import (
	"encoding/json"
	"strings"
	"testing"
)

// logVectors are the vectors of the tree and of signed notes.
type logVectors struct {
	Tree  struct{ Leaves, Roots []hexBytes }
	Notes struct {
		Keys []string
		List []struct {
			Name, Note, Origin string
			Good               bool
			Size               int64
			Root               hexBytes
		}
	}
}

func loadLogVectors(t *testing.T) (v logVectors) {
	t.Helper()
	if err := json.Unmarshal(Papers()["vectors.json"], &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVectorsTree(t *testing.T) {
	v := loadLogVectors(t).Tree
	var tree Tree
	for i, root := range v.Roots {
		if tree.Root() != [32]byte(root) {
			t.Errorf("root of %d leaves: %x", i, tree.Root())
		}
		if i < len(v.Leaves) {
			tree.Add([32]byte(v.Leaves[i]))
		}
	}
}

func TestVectorsNotes(t *testing.T) {
	v := loadLogVectors(t).Notes
	keys, err := ParseLogKeys(strings.Join(v.Keys, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range v.List {
		c, err := keys.Open([]byte(n.Note))
		switch {
		case !n.Good && err == nil:
			t.Errorf("%s: was accepted", n.Name)
		case n.Good && (err != nil || c != Checkpoint{Origin: n.Origin, Size: n.Size, Root: [32]byte(n.Root)}):
			t.Errorf("%s: %+v, %v", n.Name, c, err)
		}
		if parsed, err := ParseCheckpoint([]byte(n.Note)); n.Good && (err != nil || parsed != c) {
			t.Errorf("%s: ParseCheckpoint %+v, %v", n.Name, parsed, err)
		}
	}
}
