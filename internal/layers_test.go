package internal_test

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// commonGround is what both columns stand on.
var commonGround = []string{"stead", "audit", "token", "api", "i18n"}

// arrows says which packages of ours a package may import besides its own subpackages. The first row that fits counts. A
// row ending in /... fits everything below it. Tests may also import the rest of their own column.
var arrows = []struct {
	from string
	to   []string
}{
	{"internal/stead", nil},
	{"internal/audit", []string{"internal/stead"}},
	{"internal/audit/...", []string{"internal/stead"}},
	{"internal/token", []string{"internal/stead", "internal/audit"}},
	{"internal/api", []string{"internal/stead"}},
	{"internal/i18n", []string{"internal/stead"}},

	{"internal/desktop", common("internal/desktop/...")}, // puts the parts together
	// What these say to their siblings goes through interfaces of their own; the nouns in those are the siblings'.
	{"internal/desktop/session", common("internal/desktop/browser", "internal/desktop/outbox")},
	{"internal/desktop/client", common("internal/desktop/outbox")},
	{"internal/desktop/...", common()},

	{"internal/platform", common("internal/platform/...")}, // puts the parts together
	{"internal/platform/httpapi", common("internal/platform/...")},
	{"internal/platform/conform", common()},
	{"internal/platform/memberapp", common()},
	{"internal/platform/devidp", common()},
	{"internal/platform/store/...", common()},
	{"internal/platform/sqlite", common("internal/platform/store")},
	{"internal/platform/ledger", common("internal/platform/store")},
	// A profile says whether Impersonate would be refused, and only authority knows.
	{"internal/platform/casework", common("internal/platform/store", "internal/platform/ledger", "internal/platform/authority")},
	// The bundle's own half, which verifies it, must do without a platform.
	{"internal/platform/export", common("internal/platform/store", "internal/platform/ledger", "internal/audit/bundle")},
	{"internal/platform/...", common("internal/platform/store", "internal/platform/ledger")},

	{"internal/cli/...", common("internal/desktop/...", "internal/platform/...", "internal/audit/...")},
	{"internal/bench/...", common("internal/desktop/...", "internal/platform/...")},
	{"internal/windowtest", nil},
	{"internal/ordeal", common("internal/desktop/...", "internal/platform/...")}, // in tests, as everything there

	{"frontend", []string{"internal/stead"}},
	{"app", common("internal/desktop/...", "frontend")},
	{".", []string{"app", "internal/cli"}},
}

func common(more ...string) []string {
	for _, name := range commonGround {
		more = append(more, "internal/"+name)
	}
	return more
}

// doors names the places where a library that must stay replaceable, or that reaches secrets or disks, is imported.
var doors = map[string][]string{
	"github.com/wailsapp/wails":     {"app", "."},
	"github.com/zalando/go-keyring": {"internal/desktop/vault"},
	"github.com/pkg/browser":        {"internal/desktop/signin"},
	"go.etcd.io/bbolt":              {"internal/desktop/outbox", "internal/bench"}, // the bench measures the bare library beside ours
	"github.com/godbus/dbus":        {"internal/windowtest", "internal/desktop/logoff"},
	// The demo's member app and sign-in are programs of other people in all but place, so they bring their own.
	"modernc.org/sqlite":        {"internal/platform/sqlite", "internal/platform/memberapp", "internal/bench"},
	"modernc.org/libc":          {"internal/platform/sqlite"},
	"github.com/golang-jwt/jwt": {"internal/token", "internal/platform/memberapp", "internal/platform/devidp"},
}

func TestArrows(t *testing.T) {
	for _, s := range allSources(t) {
		if s.folder() == "internal" {
			continue // these tests look at everything
		}
		allowed, known := allowedFrom(s.folder())
		if !known {
			t.Errorf("%s: no arrow starts at %s; add it to this test and to internal/README.md", s.path, s.folder())
			continue
		}
		for _, name := range s.imports {
			to, ours := strings.CutPrefix(name, "stead/")
			if !ours || fitsAny(to, allowed) || part(to) == part(s.folder()) {
				continue
			}
			if s.isTest() && column(to) == column(s.folder()) {
				continue
			}
			t.Errorf("%s imports %s: no arrow goes from %s to it", s.path, to, s.folder())
		}
	}
}

func TestDoors(t *testing.T) {
	for _, s := range allSources(t) {
		if s.isTest() {
			continue
		}
		for _, name := range s.imports {
			for library, places := range doors {
				if (name == library || strings.HasPrefix(name, library+"/")) && !slices.Contains(places, s.folder()) {
					t.Errorf("%s imports %s, which belongs behind %v", s.path, name, places)
				}
			}
		}
	}
}

// TestTheTwoColumnsNeverTouch says the most important arrow once more, without a table to get wrong.
func TestTheTwoColumnsNeverTouch(t *testing.T) {
	for _, s := range allSources(t) {
		for _, name := range s.imports {
			to := column(strings.TrimPrefix(name, "stead/"))
			from := column(s.folder())
			if from == "internal/desktop" && to == "internal/platform" || from == "internal/platform" && to == "internal/desktop" {
				t.Errorf("%s imports %s", s.path, name)
			}
		}
	}
}

func allowedFrom(folder string) (to []string, known bool) {
	for _, row := range arrows {
		if fits(folder, row.from) {
			return row.to, true
		}
	}
	return nil, false
}

func fitsAny(folder string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return fits(folder, p) })
}

func fits(folder, pattern string) bool {
	stem, below := strings.CutSuffix(pattern, "/...")
	return folder == stem || below && strings.HasPrefix(folder, stem+"/")
}

// column is the half of the product a folder belongs to: internal/desktop, internal/platform, or the folder itself.
func column(folder string) string {
	first, rest, _ := strings.Cut(folder, "/")
	if first != "internal" {
		return first
	}
	second, _, _ := strings.Cut(rest, "/")
	return path.Join(first, second)
}

// part is a folder without its subpackages: internal/desktop/browser for internal/desktop/browser/cdp.
func part(folder string) string {
	names := strings.Split(folder, "/")
	depth := 2
	if c := column(folder); c == "internal/desktop" || c == "internal/platform" {
		depth = 3
	}
	return path.Join(names[:min(depth, len(names))]...)
}
