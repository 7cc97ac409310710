package ledger_test

import (
	"testing"

	"github.com/google/uuid"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// TestWhatIsNewIsWritten: of many entries at once, those whose event is recorded already are passed over, wherever they
// stand, and the others are recorded in their order.
func TestWhatIsNewIsWritten(t *testing.T) {
	b := newBench(t)
	entries := make([]ledger.Entry, 73) // a group of each size, and some left over
	for i := range entries {
		entries[i] = ledger.Entry{Kind: audit.MemberViewed, EventID: stead.NewEventID(), Actor: agent.Pseudonym, Subject: member.Pseudonym}
	}
	entries[70].EventID = entries[69].EventID // twice among them
	want := []uuid.UUID{entries[0].EventID, entries[33].EventID, entries[72].EventID}
	for _, e := range []ledger.Entry{entries[0], entries[33], entries[72]} {
		b.update(func(tx store.Tx) error { return b.ledger.Write(tx, e) })
	}
	for i, e := range entries {
		if i != 0 && i != 33 && i != 70 && i != 72 {
			want = append(want, e.EventID)
		}
	}
	for range 2 { // the second time none is new
		b.update(func(tx store.Tx) error { return b.ledger.WriteNew(tx, entries) })
		var got []uuid.UUID
		b.update(func(tx store.Tx) error {
			found, err := tx.Trail(store.TrailFilter{Kind: string(audit.MemberViewed), Limit: 500})
			for i := len(found) - 1; i >= 0; i-- {
				got = append(got, found[i].EventID)
			}
			return err
		})
		if len(got) != len(want) {
			t.Fatalf("%d records, want %d", len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("record %d is of another event", i)
			}
		}
	}
}
