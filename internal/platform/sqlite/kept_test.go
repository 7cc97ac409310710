package sqlite

import (
	"strings"
	"testing"
)

// TestTheDatabaseKeepsKeysThatAHoldOnAnotherNeeds: the time of the key is over, and a refusal's text lies under it.
func TestTheDatabaseKeepsKeysThatAHoldOnAnotherNeeds(t *testing.T) {
	raw := guarded(t)
	do := func(statement string) error { _, err := raw.Exec(statement); return err }
	for _, s := range []string{
		"INSERT INTO retentions (before, at) VALUES (2000000000000, 2000000000000)",
		"INSERT INTO person_keys VALUES (x'000102030405060708090a0b0c0d0e0f', 202601, 1, x'aa')",
		`INSERT INTO intake (event_id, device, epoch, seq, leaf, envelope, sealed_texts, texts_of, kind, session, actor, subject, received_at, delivered_by, doubt)
			VALUES (randomblob(16), zeroblob(16), zeroblob(16), 0, zeroblob(32), x'01', x'01', x'000102030405060708090a0b0c0d0e0f', 'session.refused', '',
				x'0f0e0d0c0b0a09080706050403020100', x'000102030405060708090a0b0c0d0e0f', 1, '', '')`,
		"INSERT INTO holds (pseudonym, staff, reason_of, month, placed_at, placed_by) VALUES (x'0f0e0d0c0b0a09080706050403020100', 'tom', zeroblob(16), 202601, 1, '')",
	} {
		if err := do(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if do("DELETE FROM person_keys") == nil || do("INSERT INTO erasures VALUES (x'000102030405060708090a0b0c0d0e0f', 'n', NULL, 1)") == nil {
		t.Error("what a hold on another keeps was erased")
	}
	// Nothing walks through all records to find out about one person.
	rows, err := raw.Query("EXPLAIN QUERY PLAN SELECT 1 FROM kept WHERE pseudonym = x'00'")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	plan := ""
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		plan += step + "\n"
	}
	if err := rows.Err(); err != nil || !strings.Contains(plan, "intake_texts_of_others (actor=? AND texts_of=?)") {
		t.Errorf("%v, the plan is\n%s", err, plan)
	}
	if err := do("UPDATE holds SET released_at = 2, released_by = ''"); err != nil {
		t.Fatal(err)
	}
	if err := do("DELETE FROM person_keys"); err != nil {
		t.Errorf("after the release: %v", err)
	}
}
