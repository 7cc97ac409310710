//go:build linux

package browser

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"stead/internal/stead"
)

// traces lists every place that this user can read and that holds the credential: arguments and environments of all
// processes, and all files below the places.
func traces(t *testing.T, secret stead.Secret, places ...string) []string {
	t.Helper()
	utf8 := []byte(string(secret))
	var wide []byte // Chromium's session storage is UTF-16
	for _, u := range utf16.Encode([]rune(string(secret))) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	var found []string
	look := func(name string) {
		data, err := os.ReadFile(name)
		if err == nil && (bytes.Contains(data, utf8) || bytes.Contains(data, wide)) {
			found = append(found, name)
		}
	}
	for _, pid := range processes() {
		look("/proc/" + strconv.Itoa(pid) + "/cmdline")
		look("/proc/" + strconv.Itoa(pid) + "/environ")
	}
	files := 0
	for _, place := range places {
		_ = filepath.WalkDir(place, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				files++
				look(path)
			}
			return nil // what vanishes or is somebody else's holds nothing of ours
		})
	}
	t.Logf("looked at %d files", files)
	return found
}

// ownPlaces gives the test and its browsers a home and a temporary folder that nobody else uses. The latter's path
// is short, for a browser's socket lies in it.
func ownPlaces(t *testing.T) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	dir, err := os.MkdirTemp("", "st")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("TMPDIR", dir)
}

func TestPromise5_NoCredentialInArgumentsEnvironmentOrFiles(t *testing.T) {
	app := newMemberApp(t)
	r := newRoot(t)
	ownPlaces(t)
	b := launch(t, r)
	v := app.visit("/")
	if err := b.Open(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	word := stead.Secret("canary" + rand.Text())
	plant(t, b, word)
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	// The search itself must be able to find something.
	planted := filepath.Join(r.dir, "planted")
	if err := os.WriteFile(planted, []byte("x"+string(v.Cookie.Value)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := traces(t, v.Cookie.Value, r.dir, home, os.TempDir()); len(got) == 0 || got[0] != planted || strings.Trim(strings.Join(got, ""), planted) != "" {
		t.Errorf("during the session: %v", got)
	}
	if err := os.Remove(planted); err != nil {
		t.Fatal(err)
	}
	if w, err := b.Close(t.Context()); err != nil || !w.Clean {
		t.Fatalf("%+v, %v", w, err)
	}
	for _, secret := range []stead.Secret{v.Cookie.Value, word} {
		if got := traces(t, secret, r.dir, home, os.TempDir()); len(got) > 0 {
			t.Errorf("after the session: %v", got)
		}
	}
	if left := sessionFolders(t, r); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
	if crash, _ := filepath.Glob(filepath.Join(home, ".config", "chromium", "*")); len(crash) > 0 {
		t.Errorf("in the agent's own profile folder: %v", crash)
	}
}

// plant puts the word wherever a page of the session can: cookies, both storages, a database, a cache, its text and the
// path of its address.
func plant(t *testing.T, b *Browser, word stead.Secret) {
	t.Helper()
	if err := b.Hand().Evaluate(t.Context(), planting(word), nil); err != nil {
		t.Fatal(err)
	}
}

// planting is the script that does it.
func planting(word stead.Secret) string {
	return `(async () => {
		const word = "` + string(word) + `"
		document.cookie = 'canary=' + word + '; max-age=3600'
		sessionStorage.canary = localStorage.canary = word
		const db = await new Promise((done, failed) => {
			const asked = indexedDB.open(word, 1)
			asked.onupgradeneeded = () => asked.result.createObjectStore('words')
			asked.onsuccess = () => done(asked.result)
			asked.onerror = () => failed(asked.error)
		})
		await new Promise((done, failed) => {
			const put = db.transaction('words', 'readwrite')
			put.objectStore('words').put(word, word)
			put.oncomplete = done
			put.onerror = () => failed(put.error)
		})
		await (await caches.open('words')).put('/' + word, new Response(word))
		history.pushState(null, word, '/' + word)
		document.title = word
		document.body.append(word)
		await fetch('/' + word)
	})()`
}

// Half a second is promised; a busy machine gets three tries.
func TestABrowserDoesNotOutliveAKilledStead(t *testing.T) {
	app := newMemberApp(t)
	r := newRoot(t)
	ownPlaces(t)
	for range 3 {
		took := killAStead(t, app, r)
		t.Logf("gone after %v", took)
		if took <= 500*time.Millisecond {
			return
		}
	}
	t.Error("the browser outlives its Stead by more than half a second")
}

// killAStead returns how long the browser of a Stead that was killed lived on.
func killAStead(t *testing.T, app *memberApp, r *Root) (took time.Duration) {
	t.Helper()
	v := app.visit("/")
	word := stead.Secret("canary" + rand.Text())
	helper, pid := startHelper(t, helperOrder{Root: r.dir, ID: "killed", Visit: v, Script: planting(word)})
	if swept, err := r.Sweep(t.Context()); err != nil || len(swept) != 0 {
		t.Fatalf("a second Stead swept %+v, %v", swept, err)
	}
	if _, _, ok := identify(pid); !ok {
		t.Fatal("the browser does not live")
	}
	begin := time.Now()
	if err := helper.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for {
		if _, _, ok := identify(pid); !ok {
			break
		}
		if time.Since(begin) > 5*time.Second {
			t.Fatal("the browser lives five seconds after its Stead was killed")
		}
		time.Sleep(5 * time.Millisecond)
	}
	took = time.Since(begin)
	swept, err := r.Sweep(t.Context())
	if err != nil || len(swept) != 1 || swept[0].ID != "killed" || !swept[0].Wipe.Clean || swept[0].Created.IsZero() {
		t.Fatalf("swept %+v, %v", swept, err)
	}
	for _, secret := range []stead.Secret{v.Cookie.Value, word} {
		if got := traces(t, secret, r.dir, os.Getenv("HOME"), os.TempDir()); len(got) > 0 {
			t.Errorf("left: %v", got)
		}
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
	return took
}

// Root of a user namespace is root enough to be refused, and any user can be it.
func TestLaunchRefusesRoot(t *testing.T) {
	out, err := runAsNamespaceRoot(t, helperOrder{Root: filepath.Join(t.TempDir(), "sessions"), ID: "s1"})
	if err == nil || !strings.Contains(out, "error: "+string(stead.CodeBrowserAsRoot)) {
		t.Errorf("said %q, %v", out, err)
	}
}

func TestVisitIsEncodedWithoutItsSecret(t *testing.T) {
	out, err := json.Marshal(helperOrder{Visit: Visit{Cookie: Cookie{Value: "hunter2"}}})
	if err != nil || bytes.Contains(out, []byte("hunter2")) {
		t.Errorf("%s, %v", out, err)
	}
}
