package outbox

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"

	"github.com/fxamacker/cbor/v2"

	"stead/internal/audit"
	"stead/internal/stead"
)

// card says whose file this is and holds its data key, sealed twice: for this machine's keyring, and for the platform,
// which can read the file when the keyring cannot. It begins with a mark that can be searched for and ends with a
// checksum, so that it is found in a file whose pages lead nowhere.
type card struct {
	_          struct{} `cbor:",toarray"`
	Device     string
	Epoch      audit.Epoch // the one this file writes
	Generation uint64      // counts the data keys this device's outbox has had
	Vault      []byte      // the data key under Config.Sealer
	Platform   []byte      // the data key under Config.PlatformKey, see audit.SealOutboxKey; empty without one
}

const (
	cardMark  = "stead-outbox-card/1\x00"
	cardCheck = 8 // bytes of the SHA-256 of what stands before them
)

// deviceForm is what a device's id looks like; a file name is made of it.
var deviceForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

// errOtherKey means that the keyring holds another key than the one that sealed the file.
var errOtherKey = errors.New("the keyring's key does not open it")

// newCard draws an epoch and a data key.
func newCard(cfg Config, generation uint64) (card, []byte, error) {
	key := make([]byte, 32)
	rand.Read(key) // never fails since Go 1.24
	c := card{Device: string(cfg.Device), Epoch: audit.NewEpoch(), Generation: generation, Vault: cfg.Sealer.Seal(key, keyAAD(generation))}
	if len(cfg.PlatformKey) == 0 {
		return c, key, nil
	}
	var err error
	c.Platform, err = audit.SealOutboxKey(cfg.PlatformKey, c.file(), key)
	return c, key, err
}

func (c card) file() audit.OutboxFile {
	return audit.OutboxFile{Device: stead.DeviceID(c.Device), Epoch: c.Epoch, Generation: c.Generation}
}

// open returns the data key, or errOtherKey.
func (c card) open(s Sealer) ([]byte, error) {
	key, err := s.Open(bytes.Clone(c.Vault), keyAAD(c.Generation))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errOtherKey, err)
	}
	return key, nil
}

func keyAAD(generation uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte("stead-outbox-key/v1\x00"), generation)
}

func (c card) encode() []byte {
	b, err := cbor.Marshal(c)
	if err != nil {
		panic(err) // bytes, a string and a number always encode
	}
	b = append([]byte(cardMark), b...)
	sum := sha256.Sum256(b)
	return append(b, sum[:cardCheck]...)
}

// decodeCard reads a card at the beginning of b and returns how long it is.
func decodeCard(b []byte) (c card, length int, err error) {
	body, ok := bytes.CutPrefix(b, []byte(cardMark))
	if !ok {
		return c, 0, errors.New("there is no card")
	}
	rest, err := cbor.UnmarshalFirst(body, &c)
	if err != nil {
		return c, 0, fmt.Errorf("card: %w", err)
	}
	length = len(b) - len(rest)
	if sum := sha256.Sum256(b[:length]); len(rest) < cardCheck || !bytes.Equal(sum[:cardCheck], rest[:cardCheck]) {
		return c, 0, errors.New("the card was changed")
	}
	if !deviceForm.MatchString(c.Device) || c.Generation > math.MaxInt64 {
		return c, 0, errors.New("the card names no device or data key") // the checksum is anybody's to make
	}
	return c, length + cardCheck, nil
}
