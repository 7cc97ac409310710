//go:build linux && !race

package ordeal

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/client"
	"stead/internal/desktop/outbox"
)

// sealer is AES-256-GCM under a key of the test, as the vault's sealer is under one of the keyring.
type sealer struct{ cipher.AEAD }

func (s sealer) Seal(plain, aad []byte) []byte { return s.AEAD.Seal(nil, nil, plain, aad) }
func (s sealer) Open(sealed, aad []byte) ([]byte, error) {
	return s.AEAD.Open(nil, nil, sealed, aad)
}

func deviceKey(name string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte("device " + name))
	return ed25519.NewKeyFromSeed(sum[:])
}

// config is the outbox's, as the desktop makes it of what is in the keyring.
func (o orders) config() outbox.Config {
	kek := sha256.Sum256([]byte("kek " + o.Key))
	block, err := aes.NewCipher(kek[:])
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	key := deviceKey(o.Key)
	return outbox.Config{Device: o.Device, Signer: key, KeyID: audit.KeyID(key.Public().(ed25519.PublicKey)), Sealer: sealer{gcm}, Trust: o.Trust}
}

// bearer is an access token that lasts as long as the test.
type bearer string

func (b bearer) Token(context.Context) (string, error) { return string(b), nil }

func (o orders) client() *client.Client {
	c, err := client.New(o.Platform, bearer(o.Token), nil)
	if err != nil {
		panic(err)
	}
	return c
}

// intent is an entry like the one before a start.
func intent() outbox.Entry {
	subject := stead.Pseudonym{2}
	return outbox.Entry{Kind: audit.SessionIntent, Actor: stead.Pseudonym{1}, Subject: &subject,
		Texts: []audit.Text{audit.NewText("reason", "The invoice of May is missing."), audit.NewText("member_name", "Zoë Müller")},
		Body:  audit.Body{"category": "troubleshooting"}}
}

// placed is a record as it was answered: the promise that it is kept.
type placed struct {
	seq  uint64
	leaf string
}

func sayPlaced(p outbox.Placed) { say("appended %d %x", p.Seq, p.Leaf) }

// readPlaced reads what sayPlaced printed, and false for anything else, a torn line included.
func readPlaced(line string) (p placed, ok bool) {
	n, err := fmt.Sscanf(line, "appended %d %s", &p.seq, &p.leaf)
	return p, n == 2 && err == nil && len(p.leaf) == 64
}

// memory is what is known of one device's records: sequence to leaf.
type memory map[uint64]string

// holding is what an outbox is found to hold.
type holding struct {
	epoch audit.Epoch
	state outbox.State
	items []outbox.Item
}

// look reads everything that is pending.
func look(ctx context.Context, box *outbox.Outbox) (h holding, err error) {
	h.state = box.State()
	for after := uint64(0); ; {
		b, err := box.Pending(ctx, after, outbox.BatchRecords)
		h.epoch = b.Epoch
		if err != nil || len(b.Items) == 0 {
			return h, err
		}
		h.items = append(h.items, b.Items...)
		after = b.Items[len(b.Items)-1].Seq
	}
}

// holds checks the promise: each record that was answered is there as it was answered, or was acknowledged by the
// platform, and every record that is there is known. all knows the leaf of every record that was ever written.
func (h holding) holds(answered, all memory) error {
	var bad []string
	at := map[uint64]bool{}
	for n, i := range h.items {
		if want := h.state.Acknowledged + 1 + uint64(n); i.Seq != want {
			bad = append(bad, fmt.Sprintf("record %d stands where %d belongs", i.Seq, want))
		}
		at[i.Seq] = true
		if got := leafOf(i.Envelope); all[i.Seq] != got && all[i.Seq] != "" {
			bad = append(bad, fmt.Sprintf("record %d is %s and was %s", i.Seq, got, all[i.Seq]))
		}
	}
	for seq := range answered {
		if seq > h.state.Acknowledged && !at[seq] {
			bad = append(bad, fmt.Sprintf("record %d was answered and is lost", seq))
		}
	}
	if uint64(len(h.items)) != h.state.Pending || h.state.Head != h.state.Acknowledged+h.state.Pending {
		bad = append(bad, fmt.Sprintf("%d records read, %+v", len(h.items), h.state))
	}
	if h.state.Broken != "" {
		bad = append(bad, "broken: "+string(h.state.Broken))
	}
	if len(bad) > 0 {
		return fmt.Errorf("%s", strings.Join(bad, "; "))
	}
	return nil
}

func leafHex(leaf [32]byte) string { return hex.EncodeToString(leaf[:]) }

func leafOf(envelope []byte) string { return leafHex(audit.Leaf(envelope)) }

// log is the platform's log as the device reads it.
func (o orders) log() outbox.Log { return o.client().Log(o.Device) }
