// Package recovery keeps the keys of the people who together may say that a log was restored or that its key is in
// other hands: each in a file of the person's own, under a passphrase.
package recovery

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
	"golang.org/x/mod/sumdb/note"

	"stead/internal/audit"
	"stead/internal/stead"
)

// MinPassphrase is how many bytes a passphrase has at least.
const MinPassphrase = 12

// maxFile bounds a key file; ours have about 400 bytes.
const maxFile = 64 << 10

// New makes a key for the person of that name. The file is the private key in the form of golang.org/x/mod/sumdb/note,
// encrypted with age (c2sp.org/age, scrypt, armored), so that age -d opens it too. vkey is the verifier key, which
// goes into the platform's configuration.
func New(name string, passphrase stead.Secret) (file []byte, vkey string, err error) {
	if len(passphrase) < MinPassphrase {
		return nil, "", stead.Errorf(stead.CodeBadRequest, "the passphrase has fewer than %d characters", MinPassphrase)
	}
	private, vkey, err := note.GenerateKey(rand.Reader, name)
	if err == nil {
		_, _, err = audit.ParseKey(vkey)
	}
	if err != nil {
		return nil, "", stead.Errorf(stead.CodeBadRequest, "%q cannot name a key: no blanks, no plus, nothing invisible", name).Because(err)
	}
	to, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return nil, "", err
	}
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	sealed, err := age.Encrypt(armored, to)
	if err != nil {
		return nil, "", err
	}
	_, err = io.WriteString(sealed, private+"\n")
	if err := errors.Join(err, sealed.Close(), armored.Close()); err != nil {
		return nil, "", err
	}
	return out.Bytes(), vkey, nil
}

// Key is a person's opened key.
type Key struct {
	Name   string
	signer crypto.Signer
}

// Open opens a file that New made. A wrong passphrase and a file that is no such key are CodeBadRequest.
func Open(file []byte, passphrase stead.Secret) (Key, error) {
	if len(file) > maxFile {
		return Key{}, stead.Errorf(stead.CodeBadRequest, "not a recovery key")
	}
	by, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return Key{}, stead.Errorf(stead.CodeBadRequest, "the passphrase is empty").Because(err)
	}
	plain, err := age.Decrypt(armor.NewReader(bytes.NewReader(file)), by)
	var wrong *age.NoIdentityMatchError
	if errors.As(err, &wrong) {
		return Key{}, stead.Errorf(stead.CodeBadRequest, "the passphrase does not open the recovery key").Because(err)
	}
	var line []byte
	if err == nil {
		line, err = io.ReadAll(io.LimitReader(plain, maxFile))
	}
	if err != nil {
		return Key{}, stead.Errorf(stead.CodeBadRequest, "not a recovery key").Because(err)
	}
	return parse(strings.TrimSpace(string(line)))
}

// parse reads "PRIVATE+KEY+<name>+<hash>+<base64 of algorithm and seed>".
func parse(line string) (Key, error) {
	checked, err := note.NewSigner(line)
	if err != nil {
		return Key{}, stead.Errorf(stead.CodeBadRequest, "not a recovery key").Because(err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.SplitN(line, "+", 5)[4])
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return Key{}, stead.Errorf(stead.CodeBadRequest, "not a recovery key").Because(err)
	}
	return Key{checked.Name(), ed25519.NewKeyFromSeed(raw[1:])}, nil
}

// Sign adds the person's signature to a statement. Who is not among the people, or has signed it already, is
// CodeStatementInvalid, and so is what is no statement.
func (k Key) Sign(statement []byte, people audit.RecoveryKeys) ([]byte, error) {
	before, err := people.Signers(statement)
	if errors.Is(err, audit.ErrStatement) { // nobody signed yet
		before, err = nil, nil
	}
	if err != nil {
		return nil, stead.Errorf(stead.CodeStatementInvalid, "%v", err).Because(err)
	}
	signed, err := k.SignUnknown(statement)
	if err != nil {
		return nil, err
	}
	after, err := people.Signers(signed)
	switch {
	case err != nil:
		return nil, stead.Errorf(stead.CodeStatementInvalid, "%v", err).Because(err)
	case !slices.Contains(after, k.Name):
		return nil, stead.Errorf(stead.CodeStatementInvalid, "the key of %s is not among recovery_keys", k.Name)
	case len(after) == len(before):
		return nil, stead.Errorf(stead.CodeStatementInvalid, "%s has signed it already", k.Name)
	}
	return signed, nil
}

// SignUnknown adds the person's signature where it is not known who may sign, as on the person's own machine.
func (k Key) SignUnknown(statement []byte) ([]byte, error) {
	signed, err := audit.SignStatement(statement, k.Name, k.signer)
	if err != nil {
		return nil, stead.Errorf(stead.CodeStatementInvalid, "%v", err).Because(fmt.Errorf("sign as %s: %w", k.Name, err))
	}
	return signed, nil
}
