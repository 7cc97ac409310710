package bundle

import (
	"encoding/base64"
	"encoding/hex"
	"errors"

	"stead/internal/audit"
	"stead/internal/stead"
)

// signedHead is a line of signed.ndjson that was read.
type signedHead struct {
	audit.Head
	signature []byte
}

// readSigned reads the heads that devices signed, of which there are two a chain at most.
func (v *verifier) readSigned() error {
	v.signed = map[[2]string][]*signedHead{}
	n := int64(0)
	for line, err := range lines[SignedHead](v.Bundle, memberSigned) {
		if err != nil {
			return err
		}
		n++
		_, err1 := unhex(line.Device, 16)
		epoch, err2 := audit.ParseEpoch(line.Epoch)
		leaf, err3 := unhex(line.Leaf, 32)
		signature, err4 := unhex(line.Signature, 64)
		if err := errors.Join(err1, err2, err3, err4); err != nil || line.Seq < 1 {
			return broken("line %d of signed.ndjson is no signed head", n)
		}
		id := [2]string{line.Device, line.Epoch}
		for _, other := range v.signed[id] {
			if other.Seq == uint64(line.Seq) {
				return broken("device %s signed a head twice", line.Device)
			}
		}
		v.signed[id] = append(v.signed[id], &signedHead{audit.Head{Device: stead.DeviceID(line.Device), Epoch: epoch, Seq: uint64(line.Seq), Leaf: [32]byte(leaf)}, signature})
	}
	if n != v.m.SignedHeads {
		return broken("the manifest counts other signed heads")
	}
	return nil
}

// passes holds the record to what its device signed about the place it has in the chain.
func (v *verifier) passes(r audit.Record, envelope []byte) error {
	device, epoch, seq, leaf := string(r.Device), r.Epoch.String(), int64(r.Seq), "" //nolint:gosec // G115: nobody counts so far
	switch {
	case r.Kind == audit.ChainBridged:
		device, _ = r.Body["device"].(string)
		epoch, _ = r.Body["epoch"].(string)
		leaf, _ = r.Body["leaf"].(string)
		seq, _ = r.Body["last"].(int64)
	case !r.Kind.FromDevice():
		return nil
	}
	for _, s := range v.signed[[2]string{device, epoch}] {
		if s.Seq != uint64(seq) { //nolint:gosec // G115: not negative
			continue
		}
		if leaf == "" {
			own := audit.Leaf(envelope)
			leaf = hex.EncodeToString(own[:])
		}
		if leaf != hex.EncodeToString(s.Leaf[:]) {
			return errors.New("is not the one that its device signed")
		}
	}
	return nil
}

// signatures looks at the signatures of devices, whose keys are known by now, and counts the chains that they cover.
func (v *verifier) signatures() error {
	for id, all := range v.signed {
		key, known := v.public[id[0]]
		if !known {
			return broken("device %s, which signed a head, is not listed", id[0])
		}
		head := v.facts.Heads[id]
		beyond := int64(0)
		for _, s := range all {
			if err := audit.VerifyHead(key, s.Head, s.signature); err != nil {
				return broken("device %s did not sign the head of %d records", id[0], s.Seq)
			}
			seq := int64(s.Seq) //nolint:gosec // G115: it was read as one
			switch {
			case seq < head:
				return broken("device %s signed its chain to %d, and it goes on to %d", id[0], seq, head)
			case seq == head:
				v.fully++
			}
			beyond = max(beyond, seq-head)
		}
		v.claimed += beyond
	}
	return nil
}

// quarantined holds what is kept as evidence to the records that say so.
func (v *verifier) quarantined() error {
	n := int64(0)
	for line, err := range lines[Quarantined](v.Bundle, memberQuarantined) {
		if err != nil {
			return err
		}
		n++
		at := KeptAt{line.Device, line.Epoch, line.Seq}
		kept, ok := v.facts.Kept[at]
		if !ok || line.Said != kept.Said || (line.Envelope == nil) != v.m.Redacted {
			return broken("line %d of quarantined.ndjson is not what the records say", n)
		}
		delete(v.facts.Kept, at)
		if line.Envelope == nil {
			continue
		}
		envelope, err := base64.StdEncoding.Strict().DecodeString(*line.Envelope)
		if leaf := audit.Leaf(envelope); err != nil || base64.StdEncoding.EncodeToString(envelope) != *line.Envelope || hex.EncodeToString(leaf[:]) != kept.Leaf {
			return broken("line %d of quarantined.ndjson is not what was kept", n)
		}
	}
	for at := range v.facts.Kept {
		return broken("record %d of device %s was quarantined and is not there", at.Seq, at.Device)
	}
	if n != v.m.Quarantined {
		return broken("the manifest counts other quarantined records")
	}
	return nil
}

// doubted reads doubts.ndjson beside the records.
type doubted struct {
	next func() (Doubt, error, bool)
	line Doubt
	err  error
	more bool
	n    int64
}

func (d *doubted) advance() {
	if d.line, d.err, d.more = d.next(); d.more {
		d.n++
	}
}

func (d *doubted) take(place int64, r audit.Record) error {
	if d.err != nil || !d.more || d.line.Place != place {
		return nil // who comes next says so
	}
	if !r.Kind.FromDevice() || d.line.Doubt == "" {
		return errors.New("has an unfit line in doubts.ndjson")
	}
	d.advance()
	return nil
}

func (d *doubted) whole(said int64) error {
	switch {
	case d.err != nil:
		return d.err
	case d.more:
		return broken("doubts.ndjson goes on behind the last record, or a line of it is out of order")
	case d.n != said:
		return broken("the manifest counts other doubts")
	}
	return nil
}
