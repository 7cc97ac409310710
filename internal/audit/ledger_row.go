package audit

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// finding is what a record says by itself, whatever stands around it.
type finding struct {
	index      int64
	missing    bool
	unreadable error
	differs    string // the first column that does not repeat the record
	leaf       [32]byte

	kind                Kind
	event, session, ref [16]byte // zero for none

	chain  chainID // of a device's record, with its place in it; zero for the platform's
	seq    uint64
	prev   [32]byte
	bridge *bridge // of a record of the kind ChainBridged
	stated *stated // of one of the kinds LedgerKey and LedgerRestored
}

// look fills the finding from the row and keeps nothing of it.
func (f *finding) look(row *LedgerRow) {
	*f = finding{index: row.Index, missing: row.Missing}
	if f.missing {
		return
	}
	var v view
	if f.unreadable = v.scan(row.Envelope); f.unreadable != nil {
		return
	}
	f.leaf = Leaf(row.Envelope)
	f.differs = row.Columns.differ(&v, &f.leaf)
	f.kind, f.event, f.session, f.ref = v.kind, v.event, v.session, v.ref
	switch {
	case v.kind.FromDevice():
		f.chain, f.seq, f.prev = chainID{v.device, v.epoch}, v.seq, v.prev
	case v.kind == ChainBridged:
		f.bridge = readBridge(v.body)
	case v.kind == LedgerKey || v.kind == LedgerRestored:
		f.stated = readStated(v.kind, v.body)
	}
}

// differ names the first column that does not repeat the record, "" when all do.
func (c *Columns) differ(v *view, leaf *[32]byte) string {
	switch {
	case c.Leaf != *leaf:
		return "leaf"
	case c.EventID != v.event:
		return "event id"
	case c.Device != v.device:
		return "device"
	case c.Epoch != v.epoch:
		return "epoch"
	case c.Seq != v.seq:
		return "sequence"
	case c.Kind != v.kind:
		return "kind"
	case !v.inSession(string(c.Session)):
		return "session"
	case c.Actor != v.actor:
		return "actor"
	case c.Subject != v.subject:
		return "subject"
	}
	return ""
}

// inSession reports whether the record is of the session, "" for none.
func (v *view) inSession(id string) bool {
	if !v.hasSession {
		return id == ""
	}
	text, err := uuid.UUID(v.session).MarshalText()
	return err == nil && string(text) == id
}

// chainID names a chain: a device's epoch.
type chainID struct{ device, epoch [16]byte }

// link is the last record of a chain so far.
type link struct {
	seq  uint64
	leaf [32]byte
}

// chains are the chains of all devices.
type chains map[chainID]link

// take lets a chain go on with a record, or over records that the log does not hold, of which it returns the number. It
// says what is wrong with the record.
func (c chains) take(f *finding) (bridged int64, what string) {
	switch {
	case f.bridge != nil:
		return c.cross(f.bridge)
	case f.chain == chainID{}:
		return 0, "" // the platform's own are placed by the log alone
	}
	before := c[f.chain]
	switch {
	case f.seq != before.seq+1:
		return 0, fmt.Sprintf("has sequence %d in its device's chain, where %d belongs", f.seq, before.seq+1)
	case f.prev != before.leaf:
		return 0, "does not follow the record before it in its device's chain"
	}
	c[f.chain] = link{f.seq, f.leaf}
	return 0, ""
}

// bridge is what the body of a record of the kind ChainBridged says: that the log does not hold the records first to
// last of a chain, and that the last of them has this leaf.
type bridge struct {
	bad         string // why it cannot be read; "" when it can
	over        chainID
	first, last int64
	leaf        [32]byte
}

func readBridge(body []byte) *bridge {
	b, err := DecodeBody(body)
	if err != nil {
		return &bridge{bad: err.Error()} // never: it is part of a record that was read
	}
	out := &bridge{}
	device, err1 := hexFact(b, "device", 16)
	epoch, err2 := hexFact(b, "epoch", 16)
	leaf, err3 := hexFact(b, "leaf", 32)
	first, ok1 := b["first"].(int64)
	last, ok2 := b["last"].(int64)
	why, _ := b["why"].(string)
	switch err := errors.Join(err1, err2, err3); {
	case err != nil:
		out.bad = err.Error()
	case !ok1 || !ok2 || first < 1 || last < first:
		out.bad = "first and last are not the places of records"
	case why == "":
		out.bad = "it does not say why"
	default:
		out.over, out.first, out.last, out.leaf = chainID{[16]byte(device), [16]byte(epoch)}, first, last, [32]byte(leaf)
	}
	return out
}

// hexFact reads a fact of so many bytes in lower-case hex.
func hexFact(b Body, name string, size int) ([]byte, error) {
	text, _ := b[name].(string)
	out, err := hex.DecodeString(text)
	if err != nil || len(out) != size || hex.EncodeToString(out) != text {
		return nil, fmt.Errorf("%s is not %d bytes of hex", name, size)
	}
	return out, nil
}

// cross moves a chain over records that the log does not hold.
func (c chains) cross(b *bridge) (bridged int64, what string) {
	if b.bad != "" {
		return 0, "does not say which records of a device the log lacks: " + b.bad
	}
	before := c[b.over]
	if uint64(b.first) != before.seq+1 { //nolint:gosec // G115: readBridge wants 1 at least
		return 0, fmt.Sprintf("says that the log lacks the records %d to %d of device %s, whose chain ends at %d",
			b.first, b.last, deviceID(b.over.device), before.seq)
	}
	c[b.over] = link{uint64(b.last), b.leaf} //nolint:gosec // G115: not before first
	return b.last - b.first + 1, ""
}

// compare looks for the last record of each chain that the platform acknowledged.
func (c chains) compare(heads []Head) error {
	for _, h := range heads {
		device, err := deviceBytes(h.Device)
		if err != nil {
			return whole("a record was acknowledged to nobody: %v", err)
		}
		if got := c[chainID{device, h.Epoch}]; got != (link{h.Seq, h.Leaf}) && h.Seq > 0 {
			return whole("device %s: record %d was acknowledged, and its chain ends at %d", h.Device, h.Seq, got.seq)
		}
	}
	return nil
}
