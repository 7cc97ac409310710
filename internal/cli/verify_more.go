package cli

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"stead/internal/audit"
	"stead/internal/audit/bundle"
	"stead/internal/audit/tiles"
	"stead/internal/stead"

	"stead/internal/desktop/client"
	"stead/internal/desktop/outbox"
	"stead/internal/desktop/vault"
)

func (c *verifyCommand) verifyBundle(ctx context.Context, progress func(int64)) (v verified, err error) {
	b, err := bundle.Open(ctx, c.Bundle)
	if err != nil {
		return v, err
	}
	defer func() { _ = b.Close() }() // nothing was written
	check := bundle.Check{OwnKeys: c.Key == "", Progress: progress}
	if check.Keys, v.own, err = c.keys(b); err != nil {
		return v, err
	}
	v.followed, v.people = check.Keys.Followed(), check.Keys.People().Names()
	if check.Trusted, err = c.trusted(check.Keys); err != nil {
		return v, err
	}
	proof, err := b.Verify(check)
	v.LedgerProof, v.bundle, v.signed, v.claimed = proof.LedgerProof, &proof.Manifest, proof.Signed, proof.Claimed
	return v, err
}

// tileTimeout bounds one request for a tile.
const tileTimeout = time.Minute

// verifyURL proves a log from its address: with a token its records, without one that the hashes which it serves are
// those that were signed.
func (c *verifyCommand) verifyURL(ctx context.Context, progress func(int64)) (v verified, err error) {
	var token stead.Secret
	if c.Token != "" {
		text, err := readSmall(c.Token)
		if err != nil {
			return v, err
		}
		token = stead.Secret(strings.TrimSpace(string(text)))
	}
	web := client.NewHTTP() // finds the demo's names, and sends what is meant for this machine to no proxy
	web.Timeout = tileTimeout
	log, err := tiles.Open(ctx, c.Ledger, token, web)
	if err != nil {
		return v, err
	}
	check := audit.LedgerCheck{Progress: progress}
	if check.Keys, v.own, err = c.keys(log); err != nil {
		return v, err
	}
	v.followed, v.people = check.Keys.Followed(), check.Keys.People().Names()
	if check.Trusted, err = c.trusted(check.Keys); err != nil {
		return v, err
	}
	v.noChains = true
	if v.tree = token == ""; v.tree {
		v.LedgerProof, err = log.VerifyTree(check)
		return v, err
	}
	v.LedgerProof, err = audit.VerifyLedger(log, check)
	return v, err
}

// runOutbox looks at a device's outbox as far as the keys at hand allow.
func (c *verifyCommand) runOutbox(e *env) error {
	if info, err := os.Stat(c.Outbox); err != nil || !info.Mode().IsRegular() {
		return stead.Errorf(stead.CodeLedgerUnusable, "%s is not a file that can be read", c.Outbox).Because(err)
	}
	var key ed25519.PublicKey
	if c.Key != "" {
		text, err := readSmall(c.Key)
		if err != nil {
			return err
		}
		if key, err = hex.DecodeString(strings.TrimSpace(string(text))); err != nil || len(key) != ed25519.PublicKeySize {
			return stead.Errorf(stead.CodeLedgerUnusable, "%s is not a device's public key, 64 hex digits", c.Key)
		}
	}
	var own *outbox.Config
	if c.Keyring != "" {
		plain, err := outbox.Inspect(e.ctx, c.Outbox, key, nil) // tells whose it is
		if err != nil {
			return err
		}
		if own, err = c.ownKeys(e.ctx, plain.Head.Device); err != nil {
			return err
		}
		if key == nil {
			key, _ = own.Signer.Public().(ed25519.PublicKey)
		}
	}
	in, err := outbox.Inspect(e.ctx, c.Outbox, key, own)
	if err != nil {
		return err
	}
	return c.writeOutbox(e, in)
}

// ownKeys are this machine's keys; none is made.
func (c *verifyCommand) ownKeys(ctx context.Context, device stead.DeviceID) (*outbox.Config, error) {
	v, err := vault.Open(ctx, c.Keyring)
	if err != nil {
		return nil, err
	}
	if known, err := v.Knows(ctx, "outbox"); err != nil || !known {
		if err == nil {
			err = stead.Errorf(stead.CodeLedgerUnusable, "the keyring has no keys of an outbox under the name %s", c.Keyring)
		}
		return nil, err
	}
	signer, err := v.DeviceSigner(ctx)
	if err != nil {
		return nil, err
	}
	sealer, err := v.Sealer(ctx, "outbox")
	if err != nil {
		return nil, err
	}
	return &outbox.Config{Device: device, Signer: signer, KeyID: signer.KeyID(), Sealer: sealer}, nil
}

func (c *verifyCommand) writeOutbox(e *env, in outbox.Inspection) error {
	if c.JSON {
		return json.NewEncoder(e.out).Encode(map[string]any{"sound": true, "device": in.Head.Device, "epoch": in.Head.Epoch.String(), "head": in.Head.Seq,
			"records": in.Records, "signed": in.Signed, "opened": in.Opened})
	}
	said := []string{fmt.Sprintf("sound: device %s, epoch %s, %d records up to number %d", in.Head.Device, in.Head.Epoch, in.Records, in.Head.Seq)}
	if in.Signed {
		said = append(said, "  the device signed its head, and with it every record before")
	} else {
		said = append(said, "  who signed its head was not looked at: --key FILE with the device's public key shows it")
	}
	if in.Opened {
		said = append(said, "  each record was opened, is in its place in the chain, and its texts are those it commits to")
	} else {
		said = append(said, "  the records are sealed and were not read: --keyring NAME opens them on the device's own machine")
	}
	said = append(said, "  whether the whole file was set back to an earlier state, the platform finds out at its next contact")
	_, err := fmt.Fprintln(e.out, strings.Join(said, "\n"))
	return err
}
