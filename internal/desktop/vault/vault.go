// Package vault keeps this machine's keys in the operating system's secret store (Secret Service, Keychain,
// Credential Manager) and hands out what signs and seals with them, never the keys themselves.
//
// There is no fall-back to a file: where no secret store answers, opening fails and says so.
package vault

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/zalando/go-keyring"

	"stead/internal/stead"
)

// deadline is how long one call to the secret store may take. The libraries know no limit of their own, and a locked
// store waits behind its prompt for ever.
const deadline = 5 * time.Second

// keyLength is the length of every key in the vault: an Ed25519 seed or an AES-256 key.
const keyLength = 32

// Vault is one service's entries in the secret store. It is safe for concurrent use; calls to the store are made one
// after the other. Two processes must not create the same key at the same time: the data folder's lock prevents it.
type Vault struct {
	service string
	limit   time.Duration
	turn    chan struct{} // holds one token; who has it may talk to the store
}

// Open checks that there is a secret store, that it answers and that it can be unlocked. The service is the name
// under which all entries of this vault are filed.
//
// It fails with stead.CodeKeyringMissing when there is no store or it refuses, and stead.CodeKeyringSilent when it
// does not answer within five seconds. Every other method fails in the same two ways.
func Open(ctx context.Context, service string) (*Vault, error) {
	return open(ctx, service, deadline)
}

func open(ctx context.Context, service string, limit time.Duration) (*Vault, error) {
	// Without this, the library would start a bus and a keyring of its own, which outlive this program.
	if err := reachable(); err != nil {
		return nil, stead.E(stead.CodeKeyringMissing, err)
	}
	v := &Vault{service: service, limit: limit, turn: make(chan struct{}, 1)}
	v.turn <- struct{}{}
	if _, _, err := v.read(ctx, "probe"); err != nil {
		return nil, err
	}
	return v, nil
}

// DeviceSigner returns the signer of the device key. The key is made and stored at the first call.
func (v *Vault) DeviceSigner(ctx context.Context) (*Signer, error) {
	seed, err := v.key(ctx, deviceKey)
	if err != nil {
		return nil, err
	}
	return newSigner(seed), nil
}

// Sealer returns what seals with the key of that name. The key is made and stored at the first call.
func (v *Vault) Sealer(ctx context.Context, name string) (*Sealer, error) {
	if name == deviceKey {
		return nil, fmt.Errorf("vault: %q is the device key and seals nothing", name)
	}
	key, err := v.key(ctx, name)
	if err != nil {
		return nil, err
	}
	return newSealer(key)
}

// Forget destroys the key of that name. What was sealed with it can never be opened again. Forgetting what is not
// there is no error.
func (v *Vault) Forget(ctx context.Context, name string) error {
	_, err := v.call(ctx, func() (string, error) { return "", keyring.Delete(v.service, name) })
	if errors.Is(err, keyring.ErrNotFound) {
		return nil
	}
	return err
}

// key returns the key of that name and makes it when there is none. A new key is read back and compared before
// anything is done with it: a store that loses what it accepts would orphan everything sealed.
func (v *Vault) key(ctx context.Context, name string) ([]byte, error) {
	key, found, err := v.read(ctx, name)
	if err != nil || found {
		return key, err
	}
	fresh := make([]byte, keyLength)
	rand.Read(fresh) // never fails since Go 1.24
	text := base64.StdEncoding.EncodeToString(fresh)
	if _, err := v.call(ctx, func() (string, error) { return "", keyring.Set(v.service, name, text) }); err != nil {
		return nil, err
	}
	back, found, err := v.read(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case !found || subtle.ConstantTimeCompare(back, fresh) != 1:
		return nil, stead.E(stead.CodeKeyringMissing, fmt.Errorf("entry %q did not read back as it was written", name))
	}
	return fresh, nil
}

// read returns the key of that name, and whether there is one.
func (v *Vault) read(ctx context.Context, name string) (key []byte, found bool, err error) {
	text, err := v.call(ctx, func() (string, error) { return keyring.Get(v.service, name) })
	if errors.Is(err, keyring.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	key, err = base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != keyLength {
		// The text may be a secret that somebody else filed here, so it is not part of the message.
		return nil, false, stead.E(stead.CodeKeyringMissing, fmt.Errorf("entry %q is not a key", name))
	}
	return key, true, nil
}

// call runs f with the deadline. A call that is given up goes on in its goroutine, because nothing can stop it; it
// keeps its turn, so that calls after it fail instead of queueing up behind the same prompt.
func (v *Vault) call(ctx context.Context, f func() (string, error)) (string, error) {
	timer := time.NewTimer(v.limit)
	defer timer.Stop()
	silent := func(cause error) (string, error) { return "", stead.E(stead.CodeKeyringSilent, cause) }
	select {
	case <-v.turn:
	case <-timer.C:
		return silent(errors.New("an earlier call still waits"))
	case <-ctx.Done():
		return silent(ctx.Err())
	}
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		defer func() { v.turn <- struct{}{} }()
		text, err := f()
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		if a.err != nil && !errors.Is(a.err, keyring.ErrNotFound) {
			return "", stead.E(stead.CodeKeyringMissing, a.err)
		}
		return a.text, a.err
	case <-timer.C:
		return silent(fmt.Errorf("no answer within %s", v.limit))
	case <-ctx.Done():
		return silent(ctx.Err())
	}
}
