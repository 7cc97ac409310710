package memberapp

import (
	"context"
	"sync"
	"time"

	"stead/internal/token"
)

const (
	keysAge   = 10 * time.Minute // after that, keys are fetched again even if nothing is missing
	keysPause = time.Second      // between two fetches for unknown keys, so that junk tokens do not flood the platform
)

// keyset keeps the platform's public keys. It is safe for concurrent use.
type keyset struct {
	fetch func(context.Context) (token.Public, error)

	mu       sync.Mutex
	keys     token.Public
	at       time.Time
	fetching sync.Mutex
}

// with returns the keys, fetched anew when the one named is not among them or when they are old. A key that the
// platform does not have is no error: it is merely not in the answer.
func (k *keyset) with(ctx context.Context, id string) (token.Public, error) {
	if keys, ok := k.held(id); ok {
		return keys, nil
	}
	k.fetching.Lock()
	defer k.fetching.Unlock()
	if keys, ok := k.held(id); ok { // fetched by another request meanwhile
		return keys, nil
	}
	fresh, err := k.fetch(ctx)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys, k.at = fresh, time.Now()
	return fresh, nil
}

func (k *keyset) held(id string) (token.Public, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := time.Since(k.at)
	_, known := k.keys[id]
	return k.keys, k.keys != nil && age < keysAge && (known || age < keysPause)
}
