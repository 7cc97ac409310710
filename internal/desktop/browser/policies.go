package browser

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"stead/internal/stead"
)

// Effect says what a managed policy does to sessions.
type Effect string

// The effects.
const (
	Redirects Effect = "redirects" // the browser would use a folder that is not the session's: never started
	Forbids   Effect = "forbids"   // the browser will not obey; Launch tries it last, and shortly
	Hinders   Effect = "hinders"   // Chromium obeys all the same; another make of it may not
	Limits    Effect = "limits"    // the browser obeys, and may refuse the member app
	Leaves    Effect = "leaves"    // something of the browser's own stays behind, and nothing of a session
	Harmless  Effect = "none"      // a session does not notice
	Unknown   Effect = "unknown"   // it cannot be read; the browser may have read it all the same
)

// Policy is one managed setting of a browser that bears on sessions, or a place of such settings that cannot be read.
type Policy struct {
	Name   string `json:"name,omitempty"` // "" of a place that cannot be read
	Value  string `json:"value,omitempty"`
	Source string `json:"source"` // file or registry key
	Level  string `json:"level"`  // "managed" or "recommended"
	Effect Effect `json:"effect"`
	Means  string `json:"means"`        // what it does to a session
	Do     string `json:"do,omitempty"` // what IT has to change; "" when nothing
}

// String names the policy, where it is set, what it does and what IT has to change.
func (p Policy) String() string {
	s := p.Source
	if p.Name != "" {
		s = p.Name + "=" + p.Value + " in " + p.Source
	}
	s += ": " + p.Means
	if p.Do != "" {
		s += "; " + p.Do
	}
	return s
}

// known are the policies that bear on sessions. Each was tried with a real browser and real policy files, those for
// Windows and macOS alone excepted: they are as documented. A value that does not bite is harmless.
var known = [...]struct {
	name   string
	when   string // the values that bite, in words
	bites  func(value, system string) bool
	effect Effect
	means  string
	do     string
}{
	{"UserDataDir", "any value, on Windows and macOS", notOnLinux, Redirects,
		"the browser would use that folder, which may be the agent's own, and not the session's", "IT must remove this policy"},
	{"RoamingProfileSupportEnabled", "true, on Windows", func(v, system string) bool { return isTrue(v, system) && system == "windows" }, Redirects,
		"the browser would load the agent's own settings and passwords into the session's folder", "IT must remove this policy or set it to false"},
	{"RemoteDebuggingAllowed", "false", isFalse, Forbids,
		"the browser does not answer on the pipe, by which Stead controls it", "IT must remove this policy or set it to true"},
	{"DeveloperToolsAvailability", "2", is("2"), Forbids,
		"the browser does not let Stead attach to its pages", "IT must remove this policy or set it to 0 or 1"},
	{"DeveloperToolsDisabled", "true", isTrue, Forbids,
		"the browser does not let Stead attach to its pages", "IT must remove this policy or set it to false"},
	{"BrowserSignin", "2", is("2"), Hinders,
		"the browser opens no window of its own before somebody signs in to it; a session's window is another, and Chromium opens that",
		"IT must remove this policy or set it to 0 or 1"},
	{"IncognitoModeAvailability", "2", is("2"), Forbids,
		"the browser makes no window in a session's own memory, where its cookies stay", "IT must remove this policy or set it to 0 or 1"},
	{"BrowserGuestModeEnforced", "true", isTrue, Hinders,
		"the browser's own windows are a guest's; a session's memory is another, and Chromium makes that", "IT must remove this policy or set it to false"},
	{"URLBlocklist", "any list", anything, Limits,
		"the browser refuses the addresses in this list", "if the member app is among them, IT must put its address into URLAllowlist"},
	{"DiskCacheDir", "any value", anything, Leaves,
		"the browser keeps an empty cache in that folder, which Stead does not remove; what a session sees stays in memory", ""},
}

func anything(string, string) bool            { return true }
func notOnLinux(_, system string) bool        { return system != "linux" }
func isTrue(v, _ string) bool                 { return v == "true" || v == "1" }
func isFalse(v, _ string) bool                { return v == "false" || v == "0" }
func is(w string) func(v, system string) bool { return func(v, _ string) bool { return v == w } }

// setting is one value as it was configured, in one place.
type setting struct {
	name, value, source, level string
}

// places are where one system keeps a browser's policies, the strongest first.
type places struct {
	settings []setting
	broken   []Policy
}

// policies reads what manages a browser: the settings of the table above that are in force, and each place that
// cannot be read. Of a setting made twice the browser takes the stronger, and so does this.
func (m machine) policies(ctx context.Context, kind Kind, path string) []Policy {
	var all places
	switch {
	case kind == Firefox:
		return nil // it is not controlled, so none of these is asked of it
	case m.system == "windows":
		all = m.registryPolicies(kind)
	case m.system == "darwin":
		all = m.macPolicies(ctx, kind)
	default:
		all = m.folderPolicies(kind, path)
	}
	var found []Policy
	for _, k := range known {
		i := slices.IndexFunc(all.settings, func(s setting) bool { return s.name == k.name })
		if i < 0 {
			continue
		}
		s := all.settings[i]
		p := Policy{Name: s.name, Value: s.value, Source: s.source, Level: s.level, Effect: Harmless, Means: "no effect on sessions"}
		if k.bites(s.value, m.system) {
			p.Effect, p.Means, p.Do = k.effect, k.means, k.do
		}
		found = append(found, p)
	}
	return append(found, all.broken...)
}

// forbidding are the policies that explain a browser that does not obey.
func forbidding(all []Policy) []Policy {
	return slices.DeleteFunc(slices.Clone(all), func(p Policy) bool { return p.Effect != Forbids })
}

// redirected says why a browser must not be started, "" if it may.
func redirected(all []Policy) string {
	for _, p := range all {
		if p.Effect == Redirects {
			return "the policy " + p.String()
		}
	}
	return ""
}

// notOpened names the policy when it was one that kept the browser from the address.
func (b *Browser) notOpened(err error) error {
	failed := stead.E(stead.CodeBrowserOpenFailed, err)
	if strings.Contains(err.Error(), "ERR_BLOCKED_BY_ADMINISTRATOR") {
		failed.Detail = cmp.Or(say(b.with.Policies, Limits, Unknown), "a policy of this machine blocks the address; look at chrome://policy")
	}
	return failed
}

// say joins those of some effects, for a message.
func say(all []Policy, effects ...Effect) string {
	var said []string
	for _, p := range all {
		if slices.Contains(effects, p.Effect) {
			said = append(said, p.String())
		}
	}
	return strings.Join(said, "; ")
}

// take adds the settings of the table out of one dictionary, in the table's order.
func (p *places) take(dict map[string]any, source, level string) {
	for _, k := range known {
		if v, ok := dict[k.name]; ok {
			p.settings = append(p.settings, setting{k.name, plain(v), source, level})
		}
	}
}

func (p *places) unreadable(source, level string, err error) {
	p.broken = append(p.broken, Policy{Source: source, Level: level, Effect: Unknown,
		Means: "this place of policies cannot be read (" + err.Error() + "), so what it sets is not known",
		Do:    "IT must repair or remove it"})
}

// plain writes a value as a person would in a form: lists with commas, and cut where they become long.
func plain(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int64:
		return strconv.FormatInt(v, 10)
	case string:
		return v
	case []any:
		var parts []string
		for i, e := range v {
			if i == 3 {
				parts = append(parts, fmt.Sprintf("and %d more", len(v)-i))
				break
			}
			parts = append(parts, plain(e))
		}
		return strings.Join(parts, ", ")
	}
	return fmt.Sprint(v)
}

const (
	isManaged     = "managed"
	isRecommended = "recommended"
)

// policyFolders are those that a browser on Linux reads.
func policyFolders(kind Kind, target string) string {
	switch kind {
	case Chrome:
		return "/etc/opt/chrome/policies"
	case Edge:
		return "/etc/opt/edge/policies"
	case Brave:
		return "/etc/brave/policies"
	}
	if strings.Contains(target, "chromium-browser") {
		return "/etc/chromium-browser/policies" // Ubuntu's and Fedora's builds of Chromium
	}
	return "/etc/chromium/policies"
}

// folderPolicies reads JSON files. Of two files the browser believes the one whose name sorts last.
func (m machine) folderPolicies(kind Kind, path string) (all places) {
	target, err := m.files.EvalSymlinks(path)
	if err != nil {
		target = path
	}
	for _, level := range []string{isManaged, isRecommended} {
		dir := policyFolders(kind, target) + "/" + level
		names, err := m.files.List(dir)
		if err != nil && !missing(err) {
			all.unreadable(dir, level, err)
		}
		slices.Reverse(names)
		for _, name := range names {
			file := dir + "/" + name
			if info, err := m.files.Stat(file); err == nil && info.IsDir() {
				continue
			}
			raw, err := m.files.ReadFile(file)
			dict := map[string]any{}
			if err == nil {
				err = json.Unmarshal(strictJSON(raw), &dict)
			}
			if err != nil {
				all.unreadable(file, level, err)
				continue
			}
			all.take(dict, file, level)
		}
	}
	return all
}

var policyKeys = map[Kind]string{
	Chrome: `SOFTWARE\Policies\Google\Chrome`, Edge: `SOFTWARE\Policies\Microsoft\Edge`,
	Brave: `SOFTWARE\Policies\BraveSoftware\Brave`, Chromium: `SOFTWARE\Policies\Chromium`,
}

// registryPolicies reads what Group Policy wrote. The machine goes before the user.
func (m machine) registryPolicies(kind Kind) (all places) {
	for _, level := range []string{isManaged, isRecommended} {
		for _, hive := range []string{hklm, hkcu} {
			k := key{hive, 64, policyKeys[kind]}
			if level == isRecommended {
				k = k.sub("Recommended")
			}
			for _, policy := range known {
				v, err := m.keys.Value(k, policy.name)
				if missing(err) { // lists are keys, whose values are numbered
					var list []string
					if list, err = values(m.keys, k.sub(policy.name)); err == nil {
						v = plain(anyList(list))
					}
				}
				switch {
				case err == nil:
					all.settings = append(all.settings, setting{policy.name, v, k.String(), level})
				case !missing(err):
					all.unreadable(k.String(), level, errors.Join(errors.New(policy.name), err))
				}
			}
		}
	}
	return all
}

func anyList(list []string) []any {
	var all []any
	for _, s := range list {
		all = append(all, s)
	}
	return all
}

// macPolicies reads what a configuration profile put there: of the user before that of the machine.
func (m machine) macPolicies(ctx context.Context, kind Kind) (all places) {
	i := slices.IndexFunc(macApps[:], func(app macApp) bool { return app.kind == kind })
	file := macApps[i].id + ".plist"
	folders := []string{"/Library/Managed Preferences/"}
	if m.user != "" {
		folders = append([]string{folders[0] + m.user + "/"}, folders...)
	}
	for _, folder := range folders {
		dict, err := m.propertyList(ctx, folder+file)
		switch {
		case err == nil:
			all.take(dict, folder+file, isManaged)
		case !missing(err):
			all.unreadable(folder+file, isManaged, err)
		}
	}
	return all
}
