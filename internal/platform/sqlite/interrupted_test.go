package sqlite

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"stead/internal/platform/store"
)

// TestCallersThatGiveUpLeaveNothingOpen: a caller who goes away while their transaction begins, as one does whose
// process is killed, leaves the connection fit for the next one.
func TestCallersThatGiveUpLeaveNothingOpen(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "platform.db"))
	nothing := func(store.Tx) error { return nil }
	for _, run := range []func(context.Context, func(store.Tx) error) error{s.Update, s.View} {
		var wg sync.WaitGroup
		for n := range 4 {
			wg.Go(func() {
				for i := range 1500 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration((i*4+n)%400)*time.Microsecond)
					_ = run(ctx, nothing) // whether in time or not
					cancel()
				}
			})
		}
		wg.Wait()
		for range 40 { // each of the pool's connections in turn
			if err := run(t.Context(), nothing); err != nil {
				t.Fatal(err)
			}
		}
	}
}
