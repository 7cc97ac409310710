//go:build window && linux

package windowtest_test

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"time"
)

// openedAddress waits for the address that the window gave to the agent's own browser.
func (w *window) openedAddress() string {
	w.t.Helper()
	for until := time.Now().Add(step); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		if address, err := os.ReadFile(w.opened); err == nil {
			return string(address)
		}
	}
	w.t.Fatal("the window opened no address in the agent's own browser")
	return ""
}

// fetch sends a request and returns where it ended up and what it found there.
func (w *window) fetch(browser *http.Client, request *http.Request) (*url.URL, string) {
	w.t.Helper()
	response, err := browser.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		w.t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		w.t.Fatalf("%s answered %s: %s", response.Request.URL.Host, response.Status, body)
	}
	return response.Request.URL, string(body)
}

// attribute returns what the expression's first group finds in a page.
func (w *window) attribute(body, expression string) string {
	w.t.Helper()
	found := regexp.MustCompile(expression).FindStringSubmatch(body)
	if found == nil {
		w.t.Fatalf("the sign-in page has nothing like %s: %s", expression, body)
	}
	return html.UnescapeString(found[1])
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
