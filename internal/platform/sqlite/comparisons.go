package sqlite

import (
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

// ExpectComparison implements store.ComparisonTx.
func (t *tx) ExpectComparison(id stead.SessionID, due time.Time) error {
	_, err := t.exec("INSERT INTO comparisons (session, due) VALUES (?, ?) ON CONFLICT (session) DO UPDATE SET due = min(coalesce(due, excluded.due), excluded.due)", id, millis(due))
	return err
}

// PutOffComparison implements store.ComparisonTx.
func (t *tx) PutOffComparison(id stead.SessionID, due time.Time) error {
	_, err := t.exec("UPDATE comparisons SET due = ? WHERE session = ?", millis(due), id)
	return err
}

// DueComparisons implements store.ComparisonTx.
func (t *tx) DueComparisons(now time.Time, limit int) ([]store.Comparison, error) {
	return all(t, func(row scanner) (c store.Comparison, err error) {
		return c, row.Scan(&c.Session, &c.Missing)
	}, "SELECT session, missing FROM comparisons WHERE due <= ? ORDER BY due, session LIMIT ?", millis(now), limit)
}

// Compared implements store.ComparisonTx.
func (t *tx) Compared(id stead.SessionID, missing int64, due time.Time) error {
	_, err := t.exec("UPDATE comparisons SET due = nullif(due, ?), missing = ? WHERE session = ?", millis(due), missing, id)
	return err
}
