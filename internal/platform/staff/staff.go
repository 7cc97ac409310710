// Package staff knows the people who work here: it recognises them by the access tokens of the identity provider,
// makes the first superadmin, and enrols devices.
package staff

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// EnrolmentTTL is how long an enrolment code can be used.
const EnrolmentTTL = 24 * time.Hour

// Identity is a person as the identity provider vouches for them.
type Identity struct {
	Issuer, Subject, Email, Name string
}

// Office answers who somebody is. It is safe for concurrent use.
type Office struct {
	Store  store.Store
	Ledger *ledger.Ledger
}

// Who is the member of staff behind an identity. CodeNotStaff when the platform does not know the person,
// CodeStaffDisabled when it does not want them any more.
func (o *Office) Who(ctx context.Context, id Identity) (stead.Staff, error) {
	var s stead.Staff
	err := o.Store.View(ctx, func(tx store.Tx) error {
		var err error
		s, err = tx.StaffBySubject(id.Issuer, id.Subject)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s, stead.E(stead.CodeNotStaff, nil)
	case err == nil && s.Disabled:
		return s, stead.E(stead.CodeStaffDisabled, nil)
	}
	return s, err
}

// newCode draws a code of 80 bits that can be read out on the phone.
func newCode() string {
	var b [10]byte
	rand.Read(b[:]) // never fails since Go 1.24
	c := base32.StdEncoding.EncodeToString(b[:])
	return c[:4] + "-" + c[4:8] + "-" + c[8:12] + "-" + c[12:]
}

// hashCode ignores case, spaces and dashes: people type codes as they read them.
func hashCode(code string) [32]byte {
	clean := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(code))
	return sha256.Sum256([]byte(clean))
}

// SetupCode returns the single-use code for the first superadmin, or "" when there are staff already. A code from an
// earlier start that was never used stays good, but is not known any more, so a fresh one is made beside it.
func (o *Office) SetupCode(ctx context.Context) (string, error) {
	code := ""
	err := o.Store.Update(ctx, func(tx store.Tx) error {
		code = ""
		n, err := tx.CountStaff()
		if err != nil || n > 0 {
			return err
		}
		code = newCode()
		return tx.PutCode(store.CodeSetup, hashCode(code), time.Time{})
	})
	return code, err
}

// SetupOpen reports whether the first superadmin is still missing.
func (o *Office) SetupOpen(ctx context.Context) (bool, error) {
	open := false
	err := o.Store.View(ctx, func(tx store.Tx) error {
		n, err := tx.CountStaff()
		open = n == 0
		return err
	})
	return open, err
}

// Claim makes the signed-in person the first superadmin. It works once: as soon as there is any staff, every code is
// refused.
func (o *Office) Claim(ctx context.Context, id Identity, key uuid.UUID, code string) (stead.Staff, error) {
	s := stead.Staff{ID: stead.StaffID("st-" + uuid.NewString()), Name: id.Name, Email: id.Email, Role: stead.RoleSuperadmin,
		Privilege: true, Scope: stead.Scope{All: true}, Pseudonym: stead.NewPseudonym()}
	if s.Name == "" {
		s.Name = id.Email
	}
	err := o.Store.Update(ctx, func(tx store.Tx) error {
		n, err := tx.CountStaff()
		if err != nil {
			return err
		}
		if n > 0 {
			return stead.E(stead.CodeSetupInvalid, nil)
		}
		if err := tx.TakeCode(store.CodeSetup, hashCode(code)); errors.Is(err, store.ErrNotFound) {
			return stead.E(stead.CodeSetupInvalid, nil)
		} else if err != nil {
			return err
		}
		if err := tx.PutStaff(s, id.Issuer, id.Subject); err != nil {
			return err
		}
		return o.Ledger.Write(tx, ledger.Entry{Kind: audit.StaffClaimed, EventID: key, Actor: s.Pseudonym,
			Texts: map[string]string{"name": s.Name, "email": s.Email}, Facts: audit.Body{"role": string(s.Role)}})
	})
	return s, err
}

// EnrolmentCode makes a single-use code with which one device enrols, and records who asked for it.
func (o *Office) EnrolmentCode(ctx context.Context, by stead.Staff, key uuid.UUID) (code string, expires time.Time, err error) {
	if !by.Role.May(stead.ActionEnrolDevices) {
		return "", time.Time{}, stead.E(stead.CodeRoleForbidden, nil)
	}
	return o.issueCode(ctx, ledger.Entry{Kind: audit.EnrolmentIssued, EventID: key, Actor: by.Pseudonym})
}

// IssueEnrolmentCode makes a code on behalf of whoever runs the platform on this machine; its record names nobody.
func (o *Office) IssueEnrolmentCode(ctx context.Context) (code string, expires time.Time, err error) {
	return o.issueCode(ctx, ledger.Entry{Kind: audit.EnrolmentIssued})
}

func (o *Office) issueCode(ctx context.Context, e ledger.Entry) (code string, expires time.Time, err error) {
	code = newCode()
	err = o.Store.Update(ctx, func(tx store.Tx) error {
		expires = tx.Now().Add(EnrolmentTTL)
		if err := tx.PutCode(store.CodeEnrolment, hashCode(code), expires); err != nil {
			return err
		}
		return o.Ledger.Write(tx, e)
	})
	return code, expires, err
}

// Enrol takes a device's public key in. The device proves by its signature that it holds the private one. The same
// key sent again is answered with the device it already is.
func (o *Office) Enrol(ctx context.Context, by stead.Staff, key uuid.UUID, claim audit.EnrolClaim, signature []byte) (stead.DeviceID, error) {
	if len(claim.PublicKey) != ed25519.PublicKeySize || claim.Verify(claim.PublicKey, signature) != nil {
		return "", stead.E(stead.CodeDeviceSignature, nil)
	}
	var id stead.DeviceID
	err := o.Store.Update(ctx, func(tx store.Tx) error {
		known, err := tx.DeviceByKey(claim.PublicKey)
		if err == nil && known.RevokedAt.IsZero() {
			id = known.ID
			return nil
		}
		if err == nil {
			return stead.E(stead.CodeDeviceUnknown, nil)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := tx.TakeCode(store.CodeEnrolment, hashCode(string(claim.Code))); errors.Is(err, store.ErrNotFound) {
			return stead.E(stead.CodeEnrolmentInvalid, nil)
		} else if err != nil {
			return err
		}
		id = newDeviceID()
		if err := tx.PutDevice(store.Device{ID: id, Name: claim.Name, PublicKey: claim.PublicKey, EnrolledBy: by.ID, EnrolledAt: tx.Now()}); err != nil {
			return err
		}
		keyID := audit.KeyID(claim.PublicKey)
		return o.Ledger.Write(tx, ledger.Entry{Kind: audit.DeviceEnrolled, EventID: key, Actor: by.Pseudonym,
			Texts: map[string]string{"device_name": claim.Name}, Facts: audit.Body{"device": string(id), "key_id": hex.EncodeToString(keyID[:])}})
	})
	return id, err
}

func newDeviceID() stead.DeviceID {
	var b [16]byte
	rand.Read(b[:])
	return stead.DeviceID(hex.EncodeToString(b[:]))
}
