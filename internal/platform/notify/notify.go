// Package notify is what a member is told: notices of sessions, who was in, and what was looked at and changed.
// Its words are for members: support, looked at, changed, ended.
package notify

import (
	"context"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// listed bounds how far back a member's page looks.
const listed = 100

// Visit is one session as its member sees it.
type Visit struct {
	Session   stead.SessionID
	AgentName string
	Reason    string
	StartedAt time.Time
	ExpiresAt time.Time
	EndedAt   time.Time // zero while support is in
	Viewed    []string  // in the member's words, in order, each once
	Changed   []string
}

// Notices lists a member's notices, newest first, and counts the unread.
func Notices(ctx context.Context, st store.Store, member stead.MemberID) (list []store.Notice, unread int, err error) {
	err = st.View(ctx, func(tx store.Tx) error {
		if list, err = tx.Notices(member, listed); err != nil {
			return err
		}
		unread, err = tx.UnreadNotices(member)
		return err
	})
	return list, unread, err
}

// Visits lists the sessions in a member's account that were really opened, newest first.
func Visits(ctx context.Context, st store.Store, l *ledger.Ledger, member stead.MemberID) ([]Visit, error) {
	var visits []Visit
	err := st.View(ctx, func(tx store.Tx) error {
		visits = nil
		rows, _, err := tx.ListSessions(store.SessionFilter{Member: member, Opened: true, Limit: listed})
		if err != nil {
			return err
		}
		for _, s := range rows {
			v := Visit{Session: s.ID, AgentName: s.AgentName, Reason: s.Why(), StartedAt: s.OpenedAt, ExpiresAt: s.ExpiresAt, EndedAt: s.EndedAt}
			if err := actions(tx, l, &v); err != nil {
				return err
			}
			visits = append(visits, v)
		}
		return nil
	})
	return visits, err
}

// actions fills in what was looked at and changed, oldest first. It reads all of them, however many: an agent must
// not be able to push something off the member's page.
func actions(tx store.Tx, l *ledger.Ledger, v *Visit) error {
	var lines []ledger.Line
	for f := (store.TrailFilter{Session: v.Session, Kind: string(audit.SessionAction), Limit: 500}); ; {
		page, err := l.Trail(tx, f)
		if err != nil {
			return err
		}
		lines = append(lines, page...)
		if len(page) == 0 {
			break
		}
		f.Before = page[len(page)-1].Index
	}
	seen := map[string]bool{}
	for i := len(lines) - 1; i >= 0; i-- {
		facts := lines[i].Facts
		words, list := facts["words"], &v.Viewed
		if facts["method"] != "GET" && facts["method"] != "HEAD" {
			list = &v.Changed
			if facts["status"] >= "400" {
				continue // was refused: nothing changed
			}
		}
		if key := facts["method"] + words; !seen[key] {
			seen[key] = true
			*list = append(*list, words)
		}
	}
	return nil
}
