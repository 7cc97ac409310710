package platform

import (
	"net/url"
	"slices"
	"strings"

	"stead/internal/stead"

	"stead/internal/platform/authority"
)

// fence is the app's fence with what its configuration leaves out.
func (a App) fence() authority.Fence {
	f := a.Fence
	if len(f.Origins) == 0 {
		if u, err := url.Parse(a.StartURL); err == nil {
			f.Origins = []string{u.Scheme + "://" + u.Host}
		}
	}
	return f
}

// checkFence names the first entry that is not an origin which stays private, or says that the start is outside.
func (a App) checkFence() error {
	f := a.fence()
	for name, list := range map[string][]string{"app.origins": f.Origins, "app.sign_in or app.payment": f.OtherPages, "app.embedded": f.OtherFrames} {
		for _, origin := range list {
			u, err := url.Parse(strings.Replace(origin, "://*.", "://", 1))
			if err != nil || u.Host == "" || strings.Contains(u.Host, "*") || origin != strings.TrimRight(origin, "/?#") ||
				u.Path != "" || u.RawQuery != "" || u.Fragment != "" || !stead.StaysPrivate(u.String()) {
				return stead.Errorf(stead.CodeConfigInvalid, "%s: %q is not an origin like https://pay.example.org or https://*.example.org", name, origin)
			}
		}
	}
	start, err := url.Parse(a.StartURL)
	if err != nil || !slices.ContainsFunc(f.Origins, func(o string) bool {
		o, below := strings.CutPrefix(strings.ToLower(o), start.Scheme+"://*")
		if below {
			return strings.HasSuffix(strings.ToLower(start.Host), o)
		}
		return o == strings.ToLower(start.Scheme+"://"+start.Host)
	}) {
		return stead.Errorf(stead.CodeConfigInvalid, "app.start_url is in none of app.origins")
	}
	return nil
}
