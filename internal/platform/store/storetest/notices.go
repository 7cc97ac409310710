package storetest

import (
	"fmt"
	"time"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

var noticeTests = []test{
	{"S2_05 notices are hidden, released, unread, read", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			now := tx.Now()
			a, b := begin(lena, now), begin(tom, now)
			b.Member = "m-0002"
			h.ok(tx.InsertSession(a))
			h.ok(tx.InsertSession(b))
			put := func(s store.SessionRow, kind string, cause stead.Cause) store.Notice {
				n := store.Notice{Member: s.Member, Session: s.ID, Kind: kind, AgentName: "Lena", Reason: "because", Cause: cause,
					Address: s.MemberEmail, CreatedAt: now}
				h.ok(tx.PutNotice(n))
				return n
			}
			started, ended := put(a, "started", ""), put(a, "ended", stead.CauseExpired)
			h.ok(tx.PutCheckpoint(store.Checkpoint{Size: 4, Note: "four", At: now}))
			put(b, "started", "")

			same(h, "hidden", len(must(tx.Notices(a.Member, 10))(h)), 0)
			same(h, "hidden and unread", must(tx.UnreadNotices(a.Member))(h), 0)
			h.ok(tx.MarkNoticesRead(a.Member, 1<<62, now)) // reads nothing that is hidden
			h.ok(tx.ReleaseNotices(a.ID, now))
			h.ok(tx.PutCheckpoint(store.Checkpoint{Size: 5, Note: "five", At: now}))
			h.ok(tx.ReleaseNotices(a.ID, now.Add(time.Hour))) // once
			same(h, "another's", len(must(tx.Notices(b.Member, 10))(h)), 0)

			got := must(tx.Notices(a.Member, 10))(h)
			started.ReleasedAt, ended.ReleasedAt = now, now
			started.Proof, ended.Proof = "four", "four"
			if len(got) != 2 {
				h.Fatalf("%d notices, want 2", len(got))
			}
			ended.ID, started.ID = got[0].ID, got[1].ID
			equal(h, got, []store.Notice{ended, started})
			same(h, "unread", must(tx.UnreadNotices(a.Member))(h), 2)

			h.ok(tx.MarkNoticesRead(b.Member, ended.ID, now)) // somebody else's dot
			same(h, "still unread", must(tx.UnreadNotices(a.Member))(h), 2)
			h.ok(tx.MarkNoticesRead(a.Member, started.ID, now.Add(time.Second)))
			same(h, "one read", must(tx.UnreadNotices(a.Member))(h), 1)
			h.ok(tx.MarkNoticesRead(a.Member, ended.ID, now.Add(2*time.Second)))
			got = must(tx.Notices(a.Member, 1))(h)
			same(h, "limit", len(got), 1)
			same(h, "read at", got[0].ReadAt, now.Add(2*time.Second))
			same(h, "first time stays", must(tx.Notices(a.Member, 2))(h)[1].ReadAt, now.Add(time.Second))
		})
	}},
	{"a notice needs a member and a session that are there", func(h *harness) {
		h.people()
		for _, n := range []store.Notice{
			{Member: "none", Kind: "started"},
			{Member: "m-0001", Session: "none", Kind: "started"},
		} {
			err := h.Update(h.Context(), func(tx store.Tx) error { n.CreatedAt = tx.Now(); return tx.PutNotice(n) })
			h.want(err, store.ErrNotFound)
		}
	}},
	{"S0_09 a member's notes, newest first", func(h *harness) {
		h.people()
		h.update(func(tx store.Tx) {
			s := begin(lena, tx.Now())
			h.ok(tx.InsertSession(s))
			var want []store.MemberNote
			for i, kind := range []string{"reason", "close_out", "reason"} {
				n := store.MemberNote{Member: s.Member, Session: s.ID, Author: "Lena", Kind: kind, Text: fmt.Sprint("text ", i),
					At: tx.Now().Add(time.Duration(i) * time.Second)}
				if i == 2 {
					n.Session = ""
				}
				h.ok(tx.PutMemberNote(n))
				want = append([]store.MemberNote{n}, want...)
			}
			equal(h, must(tx.MemberNotes(s.Member, 0))(h), want)
			equal(h, must(tx.MemberNotes(s.Member, 2))(h), want[:2])
			same(h, "another's", len(must(tx.MemberNotes("m-0002", 0))(h)), 0)
		})
	}},
}
