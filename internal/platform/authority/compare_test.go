package authority_test

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/authority"
	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// deliver brings a record of the agent's device about a session.
func (w *world) deliver(agent stead.Staff, m stead.Member, id stead.SessionID, kind audit.Kind, body audit.Body) {
	w.Helper()
	d, subject := w.devices[agent.ID], m.Pseudonym
	rec := audit.Record{Device: d.id, Epoch: d.epoch, Seq: d.head.Seq + 1, Prev: d.head.Leaf, WallMS: time.Now().UnixMilli(), Kind: kind, Session: &id,
		EventID: stead.NewEventID(), Actor: agent.Pseudonym, Subject: &subject, KeyID: audit.KeyID(d.key.Public().(ed25519.PublicKey)), Body: body}
	envelope, err := rec.Encode()
	w.must(err)
	head := audit.Head{Device: d.id, Epoch: d.epoch, Seq: rec.Seq, Leaf: audit.Leaf(envelope)}
	signature, err := audit.SignHead(d.key, head)
	w.must(err)
	w.must(w.store.Update(w.Context(), func(tx store.Tx) error {
		_, err := w.ledger.TakeIn(tx, agent.ID, ledger.Batch{Device: d.id, Epoch: d.epoch, FirstSeq: rec.Seq, Head: head, Signature: signature,
			Records: []ledger.DeviceRecord{{Envelope: envelope}}})
		return err
	}))
	d.head = head
}

// saw delivers what lena's browser saw: lines of method and path, with "stopped" behind what was.
func (w *world) saw(id stead.SessionID, o audit.Observed, lines ...string) {
	w.Helper()
	for _, line := range lines {
		f := strings.Fields(line)
		o.Actions = append(o.Actions, audit.ObservedAction{Method: f[0], Origin: "https://portal.test", Path: f[1], Status: 200, Stopped: len(f) > 2, Count: 1})
	}
	w.deliver(lena, ana, id, audit.SessionObserved, o.Body())
}

func (w *world) sawEnd(id stead.SessionID) {
	w.deliver(lena, ana, id, audit.SessionObservedEnd, audit.Body{"cause": "agent", "confirmed": true, "wiped": true})
}

// reports is what the member app says was done.
func (w *world) reports(id stead.SessionID, status int, lines ...string) {
	w.Helper()
	var list []authority.Action
	for _, line := range lines {
		method, path, _ := strings.Cut(line, " ")
		list = append(list, authority.Action{ID: stead.NewEventID(), Session: id, Method: method, Path: path, Status: status, Words: "Looked", At: time.Now()})
	}
	w.must(w.auth.Report(w.Context(), list))
}

func (w *world) mismatches(id stead.SessionID) (found []map[string]string) {
	w.Helper()
	w.must(w.auth.Compare(w.Context()))
	for _, l := range w.trail(id) {
		if l.Kind == audit.SessionMismatch {
			found = append(found, l.Facts)
		}
	}
	return found
}

// ended opens a session of lena's with ana, lets do what happens in it, and ends it.
func (w *world) ended(during func(id stead.SessionID)) stead.SessionID {
	w.Helper()
	o := w.live(lena, ana)
	during(o.Session.ID)
	_, err := w.auth.End(w.Context(), lena, o.Session.ID, stead.CauseAgent)
	w.must(err)
	return o.Session.ID
}

func TestWhatTheBrowserDidNotShowIsAMismatch(t *testing.T) {
	for name, tt := range map[string]struct {
		app     []string
		status  int
		browser []string
		seen    audit.Observed
		why     string
		changes string
		example string
	}{
		"both agree":                    {app: []string{"GET /", "POST /plan/search", "GET /members/:id"}, browser: []string{"GET /", "POST /plan/search", "GET /members/{id}", "GET /"}},
		"any other address":             {app: []string{"GET /*", "GET /"}, browser: []string{"GET /nowhere/{id}", "GET /"}},
		"a browser's own reads":         {app: []string{"GET /", "GET /*", "GET /*"}, browser: []string{"GET /"}},
		"as many reads as assets":       {app: []string{"GET /a", "GET /b", "GET /c", "GET /d"}, browser: []string{"GET /"}, seen: audit.Observed{Assets: 2}},
		"reads beyond that":             {app: []string{"GET /a", "GET /b", "GET /c", "GET /d"}, browser: []string{"GET /"}, seen: audit.Observed{Assets: 1}, why: "not_shown", changes: "0", example: "1 GET /a"},
		"a change":                      {app: []string{"GET /", "POST /plan/search"}, browser: []string{"GET /"}, why: "not_shown", changes: "1", example: "1 POST /plan/search"},
		"a change too many":             {app: []string{"POST /a", "POST /a"}, browser: []string{"POST /a"}, why: "not_shown", changes: "1", example: "1 POST /a"},
		"a change elsewhere":            {app: []string{"POST /a"}, browser: []string{"POST /b"}, why: "not_shown", changes: "1", example: "1 POST /a"},
		"another method":                {app: []string{"DELETE /a"}, browser: []string{"POST /a"}, why: "not_shown", changes: "1", example: "1 DELETE /a"},
		"a change that was stopped":     {app: []string{"POST /a"}, browser: []string{"POST /a stopped"}, why: "not_shown", changes: "1", example: "1 POST /a"},
		"a refused change":              {app: []string{"POST /a"}, status: 403, browser: []string{"GET /"}, why: "not_shown", changes: "1", example: "1 POST /a"},
		"a second report of a failure":  {app: []string{"POST /a"}, status: 500, browser: []string{"GET /"}},
		"dropped reads":                 {app: []string{"GET /a", "GET /b", "GET /c"}, browser: []string{"GET /"}, seen: audit.Observed{Dropped: 1}},
		"dropped reads excuse nothing":  {app: []string{"POST /a"}, browser: []string{"GET /"}, seen: audit.Observed{Dropped: 1000}, why: "not_shown", changes: "1", example: "1 POST /a"},
		"nothing observed":              {app: []string{"GET /"}, why: "nothing_observed", changes: "0", example: "1 GET /"},
		"nothing observed nor reported": {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := w.ended(func(id stead.SessionID) {
				if tt.status == 0 {
					tt.status = 200
				}
				w.reports(id, tt.status, tt.app...)
				if tt.browser != nil {
					w.saw(id, tt.seen, tt.browser...)
				}
			})
			w.sawEnd(id)
			if found := w.mismatches(id); len(found) != 0 {
				t.Fatalf("at once: %v", found)
			}
			w.store.pass(3 * time.Minute)
			found := w.mismatches(id)
			if tt.why == "" {
				if len(found) != 0 {
					t.Errorf("found %v", found)
				}
				return
			}
			if len(found) != 1 {
				t.Fatalf("found %v", found)
			}
			if f := found[0]; f["why"] != tt.why || f["changes"] != tt.changes || !strings.HasPrefix(f["examples"], tt.example) || f["agent"] != string(lena.ID) {
				t.Errorf("found %v", f)
			}
			if again := w.mismatches(id); len(again) != 1 {
				t.Errorf("again: %v", again)
			}
		})
	}
}

func TestADeviceThatDeliversLateIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	id := w.ended(func(id stead.SessionID) { w.reports(id, 200, "POST /a") })
	w.store.pass(3 * time.Minute)
	if found := w.mismatches(id); len(found) != 0 {
		t.Fatalf("before it delivered: %v", found)
	}
	w.store.pass(5 * time.Hour)
	w.saw(id, audit.Observed{}, "POST /a")
	w.sawEnd(id)
	if found := w.mismatches(id); len(found) != 0 {
		t.Errorf("after it delivered: %v", found)
	}
	w.reports(id, 200, "POST /b") // and then the app says more
	w.store.pass(3 * time.Minute)
	if found := w.mismatches(id); len(found) != 1 || found[0]["examples"] != "1 POST /b" {
		t.Errorf("after a late report: %v", found)
	}
}

func TestADeviceThatNeverDeliversIsAMismatchEvenAfterARestart(t *testing.T) {
	w := newWorld(t)
	id := w.ended(func(id stead.SessionID) { w.reports(id, 200, "GET /") })
	w.store.pass(25 * time.Hour)
	w.must(w.store.Close())
	w.open()
	w.watch()
	var found []map[string]string
	for deadline := time.Now().Add(10 * time.Second); len(found) == 0 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for _, l := range w.trail(id) {
			if l.Kind == audit.SessionMismatch {
				found = append(found, l.Facts)
			}
		}
	}
	if len(found) != 1 || found[0]["why"] != "not_delivered" {
		t.Errorf("found %v", found)
	}
}

func TestAnotherDevicesWordIsNotTheSessions(t *testing.T) {
	w := newWorld(t)
	id := w.ended(func(id stead.SessionID) { w.reports(id, 200, "POST /a") })
	w.deliver(tom, ana, id, audit.SessionObserved, audit.Observed{Actions: []audit.ObservedAction{{Method: "POST", Origin: "https://portal.test", Path: "/a", Count: 1}}}.Body())
	w.sawEnd(id)
	w.store.pass(3 * time.Minute)
	if found := w.mismatches(id); len(found) != 1 || found[0]["why"] != "nothing_observed" {
		t.Errorf("found %v", found)
	}
}

// TestTheFallbackShowsNothing: nothing observes a browser that is opened by a page, so nothing is missed.
func TestTheFallbackShowsNothing(t *testing.T) {
	w := newWorld(t)
	o, err := w.exchange(w.handed(lena, ana).Code)
	w.must(err)
	w.reports(o.Session.ID, 200, "GET /plan", "POST /preferences")
	_, err = w.auth.End(w.Context(), lena, o.Session.ID, stead.CauseAgent)
	w.must(err)
	w.sawEnd(o.Session.ID)
	w.store.pass(time.Hour)
	if found := w.mismatches(o.Session.ID); len(found) != 0 {
		t.Errorf("%v", found)
	}
}

// An agent whose requests are refused after the end can make the app report them for as long as they like.
func TestReportsThatGoOnDoNotPutTheComparisonOff(t *testing.T) {
	w := newWorld(t)
	id := w.ended(func(id stead.SessionID) { w.reports(id, 200, "POST /a") })
	w.saw(id, audit.Observed{}, "GET /")
	w.sawEnd(id)
	for range 5 {
		w.store.pass(time.Minute)
		w.reports(id, 401, "GET /")
		if len(w.mismatches(id)) > 0 {
			return
		}
	}
	t.Error("nothing was compared in five minutes")
}

// TestADeviceCannotFloodTheComparison: what one delivers beyond all measure is not read, and counts as not shown.
func TestADeviceCannotFloodTheComparison(t *testing.T) {
	w := newWorld(t)
	id := w.ended(func(id stead.SessionID) { w.reports(id, 200, "POST /a") })
	w.saw(id, audit.Observed{}, "POST /a")
	for range 1000 {
		w.deliver(lena, ana, id, audit.SessionObserved, audit.Observed{Assets: 1}.Body())
	}
	w.sawEnd(id)
	w.store.pass(3 * time.Minute)
	if found := w.mismatches(id); len(found) != 1 || found[0]["why"] != "not_shown" {
		t.Errorf("found %v", found)
	}
}
