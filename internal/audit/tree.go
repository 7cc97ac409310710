package audit

import (
	"crypto/sha256"
	"fmt"
	"iter"
)

// Tree computes the root of a Merkle tree (RFC 6962 2.1) while leaves are added one after the other. It keeps one hash
// a level. The zero Tree is empty; a Tree is not safe for concurrent use.
type Tree struct {
	size int64
	edge [][32]byte // roots of the whole subtrees so far, the largest first
	made [][32]byte // what the last Add made
}

// Size is how many leaves were added.
func (t *Tree) Size() int64 { return t.size }

// Add adds a leaf and returns it with the hashes of the subtrees that it completes, the smallest first: what a log
// stores for it (golang.org/x/mod/sumdb/tlog, StoredHashes). The slice is good until the next Add.
func (t *Tree) Add(leaf [32]byte) [][32]byte {
	t.made = append(t.made[:0], leaf)
	for n := t.size; n&1 == 1; n >>= 1 {
		leaf = node(t.edge[len(t.edge)-1], leaf)
		t.edge = t.edge[:len(t.edge)-1]
		t.made = append(t.made, leaf)
	}
	t.edge = append(t.edge, leaf)
	t.size++
	return t.made
}

// Root is the root over the leaves so far; SHA-256 of nothing when there are none.
func (t *Tree) Root() [32]byte {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	root := t.edge[len(t.edge)-1]
	for i := len(t.edge) - 2; i >= 0; i-- {
		root = node(t.edge[i], root)
	}
	return root
}

// node is the hash over two subtrees: SHA-256(0x01 || left || right).
func node(left, right [32]byte) [32]byte {
	var b [65]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// VerifyLog returns nil when exactly these leaves make the checkpoint's root. It reads them one by one and keeps none.
func VerifyLog(c Checkpoint, leaves iter.Seq2[[32]byte, error]) error {
	var t Tree
	for leaf, err := range leaves {
		if err != nil {
			return err
		}
		if t.size == c.Size {
			return fmt.Errorf("there are more records than the checkpoint's %d", c.Size)
		}
		t.Add(leaf)
	}
	if t.size != c.Size {
		return fmt.Errorf("there are %d records, and the checkpoint counts %d", t.size, c.Size)
	}
	if t.Root() != c.Root {
		return fmt.Errorf("the records do not make the checkpoint's root")
	}
	return nil
}
