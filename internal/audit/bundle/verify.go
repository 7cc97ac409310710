package bundle

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"stead/internal/audit"
)

// Check says against what a bundle is verified.
type Check struct {
	Keys     audit.LogKeys
	OwnKeys  bool              // Keys are those of Bundle.Keys
	Trusted  *audit.Checkpoint // held outside; nil for none
	Progress func(n int64)     // called now and then with the records read, of which there are two rounds; may be nil
}

// Proof is what was proven about a bundle.
type Proof struct {
	audit.LedgerProof
	Manifest Manifest // all of it but Tool and MadeMS was counted
	Signed   int64    // chains of which the device signed the last record in the log, and by that all of them
	Claimed  int64    // records that devices signed to have beyond those
}

// Verify checks all that section 10 of FORMAT.md lists. The error is a *audit.LedgerBroken that names the first thing that
// is wrong, or has stead.CodeLedgerUnusable when the bundle is of another format.
func (b *Bundle) Verify(check Check) (Proof, error) {
	m, err := b.manifest()
	if err != nil {
		return Proof{}, err
	}
	proof := Proof{Manifest: m}
	proof.LedgerProof, err = audit.VerifyLedger(b, audit.LedgerCheck{Keys: check.Keys, Trusted: check.Trusted, Progress: check.Progress})
	if errors.Is(err, audit.ErrNothingSigned) {
		err = broken("there is no checkpoint")
	}
	if err != nil {
		return proof, err
	}
	v := &verifier{Bundle: b, m: m, facts: NewFacts(), progress: check.Progress}
	for _, step := range []func() error{
		func() error { return v.log(proof.LedgerProof, check.OwnKeys) },
		v.readSigned, v.records, v.chains, v.quarantined, v.devices, v.signatures, v.sessions, v.notices, v.staff,
	} {
		if err := step(); err != nil {
			return proof, err
		}
	}
	proof.Signed, proof.Claimed = v.fully, v.claimed
	return proof, nil
}

// verifier is one run of what Verify does after VerifyLedger: the records are known to be those of the log.
type verifier struct {
	*Bundle
	m        Manifest
	facts    *Facts
	progress func(int64)
	owed     map[owedNotice]int // notices that sessions call for and that were not seen yet

	signed         map[[2]string][]*signedHead // by chain
	public         map[string][]byte           // keys of the devices
	fully, claimed int64                       // see Proof
}

// log holds the manifest to what was proven.
func (v *verifier) log(p audit.LedgerProof, own bool) error {
	newest, err := v.read(memberCheckpoint)
	if err != nil {
		return err
	}
	switch {
	case !bytes.Equal(newest, p.Signed):
		return broken("the member checkpoint is not the newest one")
	case own && p.Unknown > 0:
		return broken("%d checkpoints were signed by keys that the bundle does not name", p.Unknown)
	case v.m.Origin != p.Checkpoint.Origin || v.m.Size != p.Checkpoint.Size || v.m.Root != hex.EncodeToString(p.Checkpoint.Root[:]) ||
		v.m.Checkpoints != p.Checkpoints || v.m.Statements != int64(len(p.Stated)) || v.m.Pending != p.Pending:
		return broken("the manifest names another log")
	}
	return nil
}

// records reads the records once more, and the texts beside them.
func (v *verifier) records() error {
	next, stop := iter.Pull2(lines[Texts](v.Bundle, memberTexts))
	defer stop()
	line, err, more := next()
	doubts, stopDoubts := iter.Pull2(lines[Doubt](v.Bundle, memberDoubts))
	defer stopDoubts()
	doubted := &doubted{next: doubts}
	doubted.advance()
	var found TextCounts
	for row, failed := range v.rows() {
		if failed != nil {
			return failed
		}
		if err != nil {
			return err
		}
		place := row.Index - 1
		if v.progress != nil && place%4096 == 0 {
			v.progress(place)
		}
		bad := func(err error) error {
			return &audit.LedgerBroken{Place: place, Index: row.Index, What: err.Error()}
		}
		r, err2 := audit.Decode(row.Envelope)
		if err2 == nil {
			err2 = errors.Join(v.facts.Take(place, r), v.passes(r, row.Envelope), doubted.take(place, r))
		}
		if err2 != nil {
			return bad(err2)
		}
		if !more || line.Place != place {
			if len(r.Commitments) > 0 {
				return bad(errors.New("has commitments and no line in texts.ndjson, or one out of order"))
			}
			continue
		}
		if err := v.texts(r, line, &found); err != nil {
			return bad(err)
		}
		line, err, more = next()
	}
	if err == nil {
		err = doubted.whole(v.m.Doubts)
	}
	switch {
	case err != nil:
		return err
	case more:
		return broken("texts.ndjson goes on behind the last record, or a line of it is out of order")
	case found != v.m.Texts:
		return broken("the manifest counts other texts")
	}
	return nil
}

// texts holds a line of texts to the record at its place.
func (v *verifier) texts(r audit.Record, line Texts, found *TextCounts) error {
	if line.Texts == nil || line.Missing == nil || len(r.Commitments) == 0 {
		return errors.New("has an unfit line in texts.ndjson")
	}
	since := v.m.SinceMS != nil && r.WallMS < *v.m.SinceMS
	t, missing := line.Texts, line.Missing
	for _, c := range r.Commitments { // both lists are sorted as these are
		switch {
		case len(t) > 0 && t[0].Name == c.Name:
			if v.m.Redacted || since {
				return errors.New("has a text that is said to be withheld")
			}
			if err := t[0].fit(c); err != nil {
				return err
			}
			found.Opened++
			t = t[1:]
		case len(missing) > 0 && missing[0].Name == c.Name:
			why := missing[0].Why
			fits := why == WhyErased || why == WhyAbsent
			if v.m.Redacted {
				fits = why == WhyRedacted
			} else if since {
				fits = why == WhySince
			}
			if !fits || !found.Add(why) {
				return fmt.Errorf("text %q is missing for a reason that does not fit", c.Name)
			}
			missing = missing[1:]
		default:
			return fmt.Errorf("commits to a text %q of which texts.ndjson says nothing", c.Name)
		}
	}
	if len(t)+len(missing) > 0 {
		return errors.New("does not commit to all the texts beside it")
	}
	return nil
}

// chains sees to it that each chain has its head in the bundle; that the heads are right, VerifyLedger has shown.
func (v *verifier) chains() error {
	heads, err := v.Heads()
	if err != nil {
		return err
	}
	seen := map[[2]string]bool{}
	for _, h := range heads {
		id := [2]string{string(h.Device), h.Epoch.String()}
		if _, known := v.facts.Heads[id]; !known && h.Seq > 0 || seen[id] {
			return broken("device %s has a head of a chain without records, or two", h.Device)
		}
		seen[id] = true
	}
	for id := range v.facts.Heads {
		if !seen[id] {
			return broken("a chain of device %s has no head", id[0])
		}
	}
	if v.m.Chains != int64(len(v.facts.Heads)) {
		return broken("the manifest counts other chains")
	}
	return nil
}

func (v *verifier) devices() error {
	seen := map[string]bool{}
	v.public = map[string][]byte{}
	for d, err := range lines[Device](v.Bundle, memberDevices) {
		if err != nil {
			return err
		}
		_, bad := unhex(d.Device, 16)
		key, worse := unhex(d.PublicKey, 32)
		if bad != nil || worse != nil || seen[d.Device] {
			return broken("device %s is none, or there twice", d.Device)
		}
		seen[d.Device], v.public[d.Device] = true, key
		id := audit.KeyID(key)
		wrote, has := v.facts.Wrote[d.Device]
		enrolment, enrolled := v.facts.Enrolled[d.Device]
		if d.KeyID != hex.EncodeToString(id[:]) || has && wrote != id || enrolled && enrolment.KeyID != "" && enrolment.KeyID != d.KeyID {
			return broken("device %s has another key than it was enrolled with, or than its records name", d.Device)
		}
		if want := (Device{Device: d.Device, PublicKey: d.PublicKey, KeyID: d.KeyID}).At(v.facts); !reflect.DeepEqual(d, want) {
			return broken("device %s names other records", d.Device)
		}
	}
	for _, of := range []iter.Seq[string]{keys(v.facts.Wrote), keys(v.facts.Enrolled)} {
		for device := range of {
			if !seen[device] {
				return broken("device %s, of which there are records, is not listed", device)
			}
		}
	}
	if v.m.Devices != int64(len(seen)) {
		return broken("the manifest counts other devices")
	}
	return nil
}

// keys yields the keys of a map.
func keys[K comparable, V any](m map[K]V) iter.Seq[K] {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// staff holds what is said of the people to the records. Role, privilege and the like are the platform's word.
func (v *verifier) staff() error {
	seen := map[[16]byte]bool{}
	n := int64(0)
	for p, err := range lines[Person](v.Bundle, memberStaff) {
		if err != nil {
			return err
		}
		n++
		want := Person{Person: p.Person, ID: p.ID, Role: p.Role, Tier: p.Tier, Privilege: p.Privilege, Disabled: p.Disabled, Claims: []int64{}}
		if p.Person != nil {
			who, err := unhex(*p.Person, 16)
			if err != nil || seen[[16]byte(who)] {
				return broken("person %s is none, or there twice", *p.Person)
			}
			seen[[16]byte(who)] = true
			want = want.At(v.facts)
		}
		if (p.ID == nil) != v.m.Redacted || !reflect.DeepEqual(p, want) {
			return broken("line %d of staff.ndjson names other records than there are", n)
		}
	}
	for _, of := range []iter.Seq[[16]byte]{keys(v.facts.Claims), keys(v.facts.Starts)} {
		for who := range of {
			if !seen[who] {
				return broken("person %x, who claimed a place or started a session, is not listed", who)
			}
		}
	}
	if v.m.Staff != n {
		return broken("the manifest counts other staff")
	}
	return nil
}

// At fills in where the facts have the device's records.
func (d Device) At(f *Facts) Device {
	d.Enrolled, d.Revoked = nil, nil
	if e, ok := f.Enrolled[d.Device]; ok {
		d.Enrolled = &e.Place
	}
	if place, ok := f.Revoked[d.Device]; ok {
		d.Revoked = &place
	}
	return d
}

// At fills in where the facts have the person's records.
func (p Person) At(f *Facts) Person {
	p.Claims, p.FirstStart, p.LastStart = []int64{}, nil, nil
	if p.Person == nil {
		return p
	}
	who, err := unhex(*p.Person, 16)
	if err != nil {
		return p
	}
	p.Claims = append(p.Claims, slices.Clone(f.Claims[[16]byte(who)])...)
	if starts, ok := f.Starts[[16]byte(who)]; ok {
		p.FirstStart, p.LastStart = &starts[0], &starts[1]
	}
	return p
}
