//go:build linux

package browser

import (
	"context"
	"testing"
	"time"

	"stead/internal/audit"
)

// observed takes until what was wanted was seen, or five seconds are over.
func observed(t *testing.T, b *Browser, enough func(map[string]audit.ObservedAction) bool) (map[string]audit.ObservedAction, audit.Observed) {
	t.Helper()
	all, sum := map[string]audit.ObservedAction{}, audit.Observed{}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end) && !enough(all); time.Sleep(50 * time.Millisecond) {
		o := b.Observed()
		sum.Assets, sum.Dropped = sum.Assets+o.Assets, sum.Dropped+o.Dropped
		for _, a := range o.Actions {
			key := a.Method + " " + a.Path
			if a.Stopped {
				key += " stopped"
			}
			a.Count += all[key].Count
			all[key] = a
		}
	}
	return all, sum
}

func TestWhatTheBrowserAsksOfTheMemberAppIsObserved(t *testing.T) {
	y := newYard(t)
	b, ctx := y.run(t, true)
	if err := b.Hand().Evaluate(ctx, `fetch('/orders/4711/edit?secret=1#frag'); fetch('/orders/4712/edit'); document.body.append(Object.assign(new Image(), { src: '/x.png' }))`, nil); err != nil {
		t.Fatal(err)
	}
	all, sum := observed(t, b, func(all map[string]audit.ObservedAction) bool { return all["GET /orders/{id}/edit"].Count == 2 })
	for _, want := range []string{"GET /", "POST /hit/form", "POST /hit/blank-form", "POST /hit/fetch", "PUT /hit/put", "DELETE /hit/delete", "POST /hit/xhr",
		"POST /hit/beacon", "POST /hit/keepalive", "POST /hit/ping", "POST /hit/worker", "POST /hit/nested-worker", "POST /hit/shared-worker",
		"POST /hit/service-worker", "POST /hit/empty-frame", "POST /hit/popup-fetch", "POST /hit/noopener-fetch", "GET /orders/{id}/edit"} {
		if all[want].Count == 0 {
			t.Errorf("not observed: %s", want)
		}
	}
	if a := all["GET /orders/{id}/edit"]; a.Status != 200 || a.Origin != y.own || a.Count != 2 {
		t.Errorf("observed %+v", a)
	}
	if sum.Assets == 0 || all["GET /x.png"].Count != 0 {
		t.Errorf("%d assets, %+v", sum.Assets, all["GET /x.png"])
	}
	if all["POST /hit/frame-fetch"].Count != 0 {
		t.Error("a request to another site was observed")
	}
}

func TestWhatWasStoppedIsObservedAsThat(t *testing.T) {
	y := newYard(t)
	b, ctx := openYard(t, y)
	if err := b.Hand().Evaluate(ctx, `fetch('/hit/a', { method: 'POST' }).catch(() => 0); document.body.insertAdjacentHTML('beforeend', '<form id=form1 method=post action=/hit/b></form>'); form1.submit()`, nil); err != nil {
		t.Fatal(err)
	}
	wantNotice(ctx, t, b.Hand(), englishGuard.ViewOnly)
	all, _ := observed(t, b, func(all map[string]audit.ObservedAction) bool { return len(all) >= 3 })
	time.Sleep(300 * time.Millisecond)
	for _, a := range b.Observed().Actions {
		t.Errorf("observed afterwards: %+v", a)
	}
	if all["POST /hit/a stopped"].Count != 1 || all["POST /hit/b stopped"].Count != 1 || all["POST /hit/a"].Count+all["POST /hit/b"].Count != 0 {
		t.Errorf("observed %+v", all)
	}
}

func openYard(t *testing.T, y *yard) (*Browser, context.Context) {
	t.Helper()
	b := launch(t, newRoot(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	if err := b.Open(ctx, y.visit(false)); err != nil {
		t.Fatal(err)
	}
	return b, ctx
}
