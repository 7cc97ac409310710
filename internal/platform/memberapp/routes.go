package memberapp

import (
	"net/http"
	"slices"
	"strings"
)

// effect says what an address does, and with that what support may do there.
type effect int

const (
	reads   effect = iota // shows something: support may
	writes                // changes something of the member's: support may with permission
	blocked               // the member's alone: support never may
)

// route is one row of the route map. did and tried are words a member understands; they stand in the list of what
// support looked at and changed.
type route struct {
	method string
	path   string
	query  string // when set, the row is meant only if this parameter is there
	effect effect
	anyone bool // answered without a sign-in
	did    string
	tried  string
	serve  func(*App, *http.Request, visitor) answer
}

// routeTable is the route map: the one place that says what exists and what support may do there.
type routeTable struct {
	rows    []route
	missing route // any other GET
	other   route // anything else
}

func newRouteTable() *routeTable {
	return &routeTable{
		rows: []route{
			{"GET", "/", "", reads, false, "Looked at the dashboard", "Tried to look at the dashboard", (*App).dashboard},
			{"GET", "/plan", "zip", reads, false, "Searched for providers near a zip code", "Tried to search for providers", (*App).plan},
			{"GET", "/plan", "", reads, false, "Looked at the plan and its providers", "Tried to look at the plan", (*App).plan},
			{"POST", "/plan/search", "", writes, false, "Searched for providers and saved the zip code", "Tried to save a zip code", (*App).search},
			{"GET", "/preferences", "", reads, false, "Looked at the preferences", "Tried to look at the preferences", (*App).preferences},
			{"POST", "/preferences", "", writes, false, "Changed the preferences", "Tried to change the preferences", (*App).savePreferences},
			{"GET", "/notices", "", blocked, false, "Read the notices", "Tried to open the notices", (*App).notices},
			{"GET", "/support-access", "", reads, false, "Looked at the list of support visits", "Tried to look at the list of support visits", (*App).supportAccess},
			{"GET", "/signin", "", blocked, true, "Opened the sign-in", "Tried to open the sign-in", (*App).signInPage},
			{"POST", "/signin", "", blocked, true, "Signed in", "Tried to sign in as somebody", (*App).signIn},
			{"POST", "/signout", "", blocked, true, "Signed out", "Tried to sign out", (*App).signOut},
		},
		missing: route{"GET", "/*", "", reads, true, "Opened an address that is not there", "Opened an address that is not there", (*App).notFound},
		other:   route{"", "/*", "", blocked, true, "Asked for something that is not there", "Tried something that is not there", (*App).notAllowed},
	}
}

// find answers the row for a request. HEAD is asked as GET.
func (t *routeTable) find(r *http.Request) route {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, row := range t.rows {
		if row.method == method && row.path == r.URL.Path && (row.query == "" || r.URL.Query().Has(row.query)) {
			return row
		}
	}
	if method == http.MethodGet {
		return t.missing
	}
	return t.other
}

// methods lists what a path takes, for the Allow header; empty when there is no such path.
func (t *routeTable) methods(path string) string {
	var found []string
	for _, row := range t.rows {
		if row.path == path && !slices.Contains(found, row.method) {
			found = append(found, row.method)
		}
	}
	return strings.Join(found, ", ")
}
