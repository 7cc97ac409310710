package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/store"
)

// SignedHead is where a device says that its chain ends.
type SignedHead struct {
	audit.Head
	Signature []byte
	Aside     bool // sent beside the records, which may have overtaken it on the way
}

// Why a signed head cannot be.
const (
	whyRolledBack = "rolled_back" // the chain was longer before
	whyForked     = "forked"      // another record was in its place before
	whyOlderEpoch = "older_epoch" // the device has begun another chain since
	whyAbandoned  = "abandoned"   // it left a chain that it still owes records of, and the one after does not say why
)

// ContradictionError is a signed head that contradicts what the platform holds, or what the device said before
// (CodeChainFork): its file was set back or written anew, or two machines hold its key.
type ContradictionError struct {
	Claim   audit.Head
	Held    uint64 // the last record of that chain the platform holds
	Why     string // rolled_back, forked, older_epoch or abandoned
	NextSeq uint64 // the sequence the platform expects next
	First   bool   // it was not found before: the alarm was recorded now
}

func (e *ContradictionError) Error() string {
	return fmt.Sprintf("device %s, epoch %s: %v", e.Claim.Device, e.Claim.Epoch, e.Unwrap())
}

func (e *ContradictionError) Unwrap() error {
	return stead.Errorf(stead.CodeChainFork, "the device says that its chain ends at record %d, and the platform holds %d: %s", e.Claim.Seq, e.Held, e.Why)
}

const (
	// overtaken is how long a message may be on its way while later ones arrive. What contradicts something that was
	// heard within that time proves nothing yet; the device will say it again.
	overtaken = 30 * time.Second
	// maxAlarms is how many alarms of one device are recorded: more say nothing new, and would let it fill the log.
	maxAlarms = 100
)

// Meet notes where a device says that its chain ends, and returns the sequence expected next. A head that cannot be
// is found, not an error: the transaction has to commit, since the alarm about it is recorded in it, once for each
// head. CodeDeviceUnknown when there is no such device (a revoked one is met all the same), CodeDeviceSignature when
// it did not sign the head.
func (l *Ledger) Meet(tx store.Tx, by stead.Pseudonym, claim SignedHead) (next uint64, found *ContradictionError, err error) {
	device, err := enrolled(tx, claim.Device)
	if err != nil {
		return 0, nil, err
	}
	if err := audit.VerifyHead(device.PublicKey, claim.Head, claim.Signature); err != nil {
		return 0, nil, stead.E(stead.CodeDeviceSignature, err)
	}
	seq, leaf, err := tx.DeviceHead(claim.Device, claim.Epoch)
	if err != nil {
		return 0, nil, err
	}
	held := audit.Head{Device: claim.Device, Epoch: claim.Epoch, Seq: seq, Leaf: leaf}
	why, sure, err := contradicts(tx, claim, held)
	switch {
	case err != nil:
		return 0, nil, err
	case why == "":
		return seq + 1, nil, errors.Join(heard(tx, claim.Head, true), keepSigned(tx, claim.Head, claim.Signature, false))
	case !sure:
		return seq + 1, nil, nil
	}
	found = &ContradictionError{Claim: claim.Head, Held: seq, Why: why, NextSeq: seq + 1}
	return seq + 1, found, l.alarm(tx, by, claim, found)
}

// contradicts says why the claim cannot be, "" when it can; sure is false when it may have been overtaken.
func contradicts(tx store.Tx, claim SignedHead, held audit.Head) (why string, sure bool, err error) {
	contacts, err := tx.Contacts(claim.Device)
	if err != nil {
		return "", false, err
	}
	last := contactOf(contacts, claim.Epoch)
	if len(contacts) > 0 && contacts[0].Epoch != claim.Epoch && (last != nil || held.Seq > 0) {
		return whyOlderEpoch, true, nil
	}
	if last == nil && claim.Seq == 0 { // a chain that follows another one begins with the record that says so
		if owes, err := owes(tx, contacts); err != nil || owes {
			return whyAbandoned, true, err
		}
	}
	if claim.Seq <= held.Seq {
		return behind(tx, claim, held)
	}
	if last == nil {
		return "", true, nil
	}
	recent := tx.Now().Sub(last.ClaimedAt) < overtaken
	switch {
	case claim.Seq < last.Seq:
		return whyRolledBack, !recent, nil
	case claim.Seq == last.Seq && claim.Leaf != last.Leaf:
		return whyForked, true, nil
	}
	return "", true, nil
}

// behind judges a head that lies within what the platform holds.
func behind(tx store.Tx, claim SignedHead, held audit.Head) (why string, sure bool, err error) {
	source, err := stead.ParsePseudonym(string(claim.Device))
	if err != nil {
		return "", false, stead.E(stead.CodeDeviceUnknown, err)
	}
	if claim.Seq > 0 || held.Seq == 0 {
		leaf, known, err := leafAt(tx, source, held, claim.Seq)
		if err != nil || known && leaf != claim.Leaf {
			return whyForked, true, err
		}
	}
	if claim.Seq == held.Seq {
		return "", true, nil
	}
	if claim.Aside {
		if e, err := tx.IntakeAt(source, claim.Epoch, claim.Seq+1); err == nil && tx.Now().Sub(e.ReceivedAt) < overtaken {
			return whyRolledBack, false, nil
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			return "", false, err
		}
	}
	return whyRolledBack, true, nil
}

func contactOf(contacts []store.Contact, epoch audit.Epoch) *store.Contact {
	for i := range contacts {
		if contacts[i].Epoch == epoch {
			return &contacts[i]
		}
	}
	return nil
}

// keepSigned keeps a signature over a head, for whoever checks the chain without the platform.
func keepSigned(tx store.Tx, h audit.Head, signature []byte, held bool) error {
	if h.Seq == 0 {
		return nil
	}
	return tx.PutSignedHead(store.SignedHead{Device: h.Device, Epoch: h.Epoch, Seq: h.Seq, Leaf: h.Leaf, Signature: signature}, held)
}

// owes reports whether the device said of any of the chains that it has more of it than the platform holds.
func owes(tx store.Tx, chains []store.Contact) (bool, error) {
	for _, c := range chains {
		held, _, err := tx.DeviceHead(c.Device, c.Epoch)
		if err != nil || held < c.Seq {
			return err == nil, err
		}
	}
	return false, nil
}

// abandons records it when the batch begins the device's newest chain, does not say why the one before it ended, and
// something of those before is still owed.
func (a *arrival) abandons(b Batch) error {
	contacts, err := a.tx.Contacts(b.Device)
	if err != nil || len(contacts) == 0 || contacts[0].Epoch != b.Epoch {
		return err
	}
	if owes, err := owes(a.tx, contacts[1:]); err != nil || !owes {
		return err
	}
	by, err := a.tx.Staff(a.by)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return a.ledger.alarm(a.tx, by.Pseudonym, SignedHead{Head: b.Head, Signature: b.Signature}, &ContradictionError{Held: b.Head.Seq, Why: whyAbandoned})
}

// heard notes a head that a device signed. A chain that was not heard of before counts as the one it began last when
// begins says so, or when it is the first; else it is one from before that arrives late.
func heard(tx store.Tx, head audit.Head, begins bool) error {
	contacts, err := tx.Contacts(head.Device)
	if err != nil {
		return err
	}
	now := tx.Now()
	c := contactOf(contacts, head.Epoch)
	switch {
	case c == nil && len(contacts) > 0 && !begins:
		c = &contacts[0]
	case c == nil:
		c = &store.Contact{Device: head.Device, Epoch: head.Epoch, Turn: 1, Seq: head.Seq, Leaf: head.Leaf, ClaimedAt: now}
		if len(contacts) > 0 {
			c.Turn = contacts[0].Turn + 1
		}
	case head.Seq > c.Seq:
		c.Seq, c.Leaf, c.ClaimedAt = head.Seq, head.Leaf, now
	}
	c.SeenAt = now
	return tx.PutContact(*c)
}

// alarm records a contradiction, unless the same head was recorded before.
func (l *Ledger) alarm(tx store.Tx, by stead.Pseudonym, claim SignedHead, found *ContradictionError) error {
	n, err := tx.CountAlarms(claim.Device)
	if err != nil || n >= maxAlarms {
		return err
	}
	err = tx.PutAlarm(store.Alarm{Device: claim.Device, Epoch: claim.Epoch, Seq: claim.Seq, Leaf: claim.Leaf, Signature: claim.Signature, Why: found.Why, At: tx.Now()})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	found.First = true
	return l.Write(tx, Entry{Kind: audit.DeviceAlarm, Actor: by, Facts: audit.Body{"device": string(claim.Device), "epoch": claim.Epoch.String(),
		"held": int64(found.Held), "said": int64(claim.Seq), "leaf": hex.EncodeToString(claim.Leaf[:]), "why": found.Why}}) //nolint:gosec // counts of records
}
