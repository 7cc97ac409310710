//go:build linux

package browser

import (
	"os"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	b, ctx := open(t, newMemberApp(t), "/fullscreen")
	b.Hand().Click(ctx, "#go")
	for range 4 {
		time.Sleep(500 * time.Millisecond)
		var s string
		p, _ := b.Hand().page()
		err := b.evaluate(ctx, p, "", `(() => { const h = document.querySelector('[popover]'); const r = h.getBoundingClientRect(); return JSON.stringify([innerWidth, innerHeight, document.elementsFromPoint(innerWidth/2,5).map(e=>e.outerHTML.slice(0,30)), r, h.matches(':popover-open'), document.fullscreenElement?.id, document.elementsFromPoint(innerWidth-80,20).map(e=>e.outerHTML.slice(0,30))]) })()`, &s)
		t.Log(s, err)
		err = b.evaluate(ctx, p, world, `JSON.stringify([stead.end(), document.elementFromPoint(stead.end().x, stead.end().y)?.tagName])`, &s)
		t.Log(s, err)
	}
	png, _ := b.Hand().Capture(ctx)
	os.WriteFile("/tmp/bt/shots/zz-f.png", png, 0o644)
}
