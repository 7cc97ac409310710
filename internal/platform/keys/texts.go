package keys

import (
	"os"

	"stead/internal/stead"
)

// OpenTexts returns a ring that opens texts and can do nothing else: it has no signing key and makes no key file. It
// reads the key-encryption key from file, and each person's key through the transaction that OpenFor is given.
// Errors: stead.CodeLedgerUnusable when there is no such key to be read.
func OpenTexts(file string) (*Ring, error) {
	key, err := os.ReadFile(file)
	if err != nil {
		return nil, stead.Errorf(stead.CodeLedgerUnusable, "%s, which opens the texts, cannot be read; --redact does without", file).Because(err)
	}
	if len(key) != 32 {
		return nil, stead.Errorf(stead.CodeLedgerUnusable, "%s is not a key of 32 bytes", file)
	}
	kek, err := aead(key)
	if err != nil {
		return nil, err
	}
	return &Ring{kek: kek}, nil
}
