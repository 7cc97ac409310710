package platform

import (
	"slices"
	"testing"

	"stead/internal/stead"

	"stead/internal/platform/authority"
)

func TestAFenceIsMadeOfOriginsThatStayPrivate(t *testing.T) {
	for _, tt := range []struct {
		start string
		fence authority.Fence
		good  bool
	}{
		{"https://portal.example/start?x=1", authority.Fence{}, true},
		{"http://portal.localhost:8080/", authority.Fence{}, true},
		{"https://portal.example/", authority.Fence{Origins: []string{"https://portal.example", "https://api.example:8443"}}, true},
		{"https://PORTAL.example/", authority.Fence{Origins: []string{"https://*.example"}}, true},
		{"https://example/", authority.Fence{Origins: []string{"https://*.example"}}, false},
		{"https://portal.example/", authority.Fence{Origins: []string{"https://other.example"}}, false},
		{"https://portal.example/", authority.Fence{Origins: []string{"https://portal.example/"}}, false},
		{"https://portal.example/", authority.Fence{OtherPages: []string{"https://*.pay.example"}, OtherFrames: []string{"https://maps.example"}}, true},
		{"https://portal.example/", authority.Fence{OtherPages: []string{"http://pay.example"}}, false},
		{"https://portal.example/", authority.Fence{OtherPages: []string{"pay.example"}}, false},
		{"https://portal.example/", authority.Fence{OtherPages: []string{"https://*"}}, false},
		{"https://portal.example/", authority.Fence{OtherFrames: []string{"https://maps.*.example"}}, false},
		{"https://portal.example/", authority.Fence{OtherFrames: []string{"https://u:p@maps.example"}}, false},
		{"https://portal.example/", authority.Fence{OtherFrames: []string{"https://maps.example?x"}}, false},
	} {
		err := App{StartURL: tt.start, Fence: tt.fence}.checkFence()
		if (err == nil) != tt.good || err != nil && stead.CodeOf(err) != stead.CodeConfigInvalid {
			t.Errorf("%s %+v: %v", tt.start, tt.fence, err)
		}
	}
	if got := (App{StartURL: "https://portal.example:8443/start"}).fence().Origins; !slices.Equal(got, []string{"https://portal.example:8443"}) {
		t.Errorf("by itself: %v", got)
	}
}
