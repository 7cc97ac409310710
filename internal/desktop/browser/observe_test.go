package browser

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"
)

func testObserver() (*observer, *time.Time) {
	now := time.Now()
	o := newObserver(func(address string) bool { return strings.HasPrefix(address, "https://portal.example/") })
	o.now = func() time.Time { return now }
	return o, &now
}

func get(path string) request {
	return request{method: "GET", address: "https://portal.example" + path, kind: "XHR"}
}

func TestARedirectIsTwoActions(t *testing.T) {
	o, _ := testObserver()
	o.sent("1", request{method: "POST", address: "https://portal.example/plan/search?zip=1", kind: "Document"}, 0)
	o.paused("1", get("/plan")) // it may be asked about before its redirect is told
	o.sent("1", get("/plan"), 303)
	o.answered("1", 200)
	o.answered("1", 200)
	got := o.take(false)
	want := []audit.ObservedAction{
		{Method: "POST", Origin: "https://portal.example", Path: "/plan/search", Status: 303, Count: 1},
		{Method: "GET", Origin: "https://portal.example", Path: "/plan", Status: 200, Count: 1},
	}
	if len(got.Actions) != 2 || got.Actions[0] != want[0] || got.Actions[1] != want[1] {
		t.Fatalf("got %+v", got)
	}
	if again := o.take(true); !again.Empty() {
		t.Fatalf("again %+v", again)
	}
}

func TestWhatIsNeverAnsweredIsListedAtTheEnd(t *testing.T) {
	o, _ := testObserver()
	o.paused("1", get("/gone"))
	o.sent("2", get("/failed"), 0)
	o.answered("2", 0)
	o.sent("3", request{method: "GET", address: "https://other.example/x"}, 0)
	if got := o.take(false); len(got.Actions) != 1 || got.Actions[0].Path != "/failed" || got.Actions[0].Status != 0 {
		t.Fatalf("got %+v", got)
	}
	if got := o.take(true); len(got.Actions) != 1 || got.Actions[0].Path != "/gone" {
		t.Fatalf("got %+v", got)
	}
}

func TestAFloodIsCountedAndDoesNotFillTheOutbox(t *testing.T) {
	o, now := testObserver()
	for i := range 2000 {
		o.sent("x", get("/same"), 0)
		o.answered("x", 200)
		o.sent("y", get("/"+strings.Repeat("a", i%15)+"/"+strings.Repeat("b", i%14)+"/"+strings.Repeat("c", i%13)), 0)
		o.answered("y", 200)
	}
	select {
	case <-o.plenty:
	default:
		t.Error("nobody was told that there is plenty")
	}
	var records, count int64
	var dropped int64
	for {
		got := o.take(false)
		if got.Empty() {
			break
		}
		if len(got.Actions) > audit.MaxObserved {
			t.Fatalf("a record of %d", len(got.Actions))
		}
		if raw, err := audit.EncodeBody(got.Body()); err != nil || len(raw) > audit.MaxEnvelope/2 {
			t.Fatalf("%d bytes, %v", len(raw), err)
		}
		records++
		for _, a := range got.Actions {
			count += a.Count
		}
		dropped += got.Dropped
	}
	if records != maxListed/audit.MaxObserved || dropped == 0 || count+dropped != 4000 {
		t.Errorf("%d records, %d actions, %d dropped", records, count, dropped)
	}
	// Emptied in between, a minute still has its limit.
	for i := range maxListed {
		o.sent("z", get(fmt.Sprintf("/%s/%s", strings.Repeat("d", 1+i/20), strings.Repeat("e", 1+i%20))), 0)
		o.answered("z", 200)
	}
	if got := o.take(false); got.Dropped == 0 {
		t.Errorf("nothing was dropped")
	}
	for !o.take(false).Empty() {
	}
	*now = now.Add(time.Minute)
	o.sent("z", get("/later"), 0)
	o.answered("z", 200)
	if got := o.take(false); len(got.Actions) != 1 || got.Dropped != 0 {
		t.Errorf("a minute later: %+v", got)
	}
}

func TestAStoppedRequestIsNotSeenAgain(t *testing.T) {
	o, _ := testObserver()
	post := request{method: "POST", address: "https://portal.example/x", kind: "Fetch"}
	o.stopped("1", post)
	o.sent("1", post, 0)
	o.answered("1", 0)
	o.sent("2", post, 0)
	o.stopped("2", post)
	o.answered("2", 204)
	got := o.take(true)
	if len(got.Actions) != 1 || !got.Actions[0].Stopped || got.Actions[0].Count != 2 {
		t.Fatalf("got %+v", got)
	}
}
