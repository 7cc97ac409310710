package audit

import (
	"reflect"
	"testing"
)

func TestAnObservationIsReadAsItWasWritten(t *testing.T) {
	want := Observed{Assets: 3, Dropped: 1, Actions: []ObservedAction{
		{Method: "GET", Origin: "https://portal.example", Path: "/plan", Status: 200, Count: 2},
		{Method: "POST", Origin: "https://portal.example:8443", Path: "/orders/{id}", Stopped: true, Count: 1},
		{Method: "GET", Origin: "https://portal.example", Path: "/", Count: 1},
	}}
	raw, err := EncodeBody(want.Body())
	if err != nil {
		t.Fatal(err)
	}
	body, err := DecodeBody(raw)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadObserved(body)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
	if none, err := ReadObserved(Observed{}.Body()); err != nil || !none.Empty() {
		t.Fatalf("got %+v, %v", none, err)
	}
}

func TestAnObservationThatIsNoneIsRefused(t *testing.T) {
	good := Observed{}.Body()
	for name, change := range map[string]func(Body){
		"no actions":         func(b Body) { delete(b, "actions") },
		"no assets":          func(b Body) { delete(b, "assets") },
		"negative":           func(b Body) { b["dropped"] = int64(-1) },
		"another type":       func(b Body) { b["assets"] = "3" },
		"a count of nothing": func(b Body) { b["actions"] = "0 GET https://a.example / 200" },
		"no status":          func(b Body) { b["actions"] = "1 GET https://a.example / ok" },
		"too few":            func(b Body) { b["actions"] = "1 GET / 200" },
		"an empty line":      func(b Body) { b["actions"] = "1 GET https://a.example / 200\n" },
	} {
		b := Body{}
		for k, v := range good {
			b[k] = v
		}
		change(b)
		if _, err := ReadObserved(b); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
