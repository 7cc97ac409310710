//go:build linux

package browser

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stead/internal/stead"
)

// managedVariable is set inside the mounts of its own in which a test sees its policies.
const managedVariable = "BROWSER_TEST_MANAGED"

// withPolicies runs the rest of the calling test a second time, as the same ordinary user but in mounts of its own
// where /etc/chromium/policies holds these files, and reports true there. In the first run it reports false: the
// test is then over. The browser inside has no capability, as everywhere.
func withPolicies(t *testing.T, files map[string]string) bool {
	t.Helper()
	needBrowser(t)
	if os.Getenv(managedVariable) != "" {
		return true
	}
	const unshare = "unshare --user --map-current-user --keep-caps --mount "
	if out, err := exec.Command("sh", "-c", unshare+"true").CombinedOutput(); err != nil {
		// Which policies are in force is still held by TestPoliciesOnLinux; what the browser does then is not.
		t.Skipf("NOT RUN: no process may have mounts of its own here: %v, %s", err, out)
	}
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const inside = `set -e
mount -t tmpfs tmpfs /etc/chromium
mkdir /etc/chromium/policies
mount --bind "$1" /etc/chromium/policies
exec setpriv --inh-caps=-all --ambient-caps=-all "$2" -test.v -test.timeout=3m "-test.run=^$3\$"`
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "exec "+unshare+`sh -c "$@"`, "sh", inside, "sh", dir, self, t.Name())
	cmd.Env = append(os.Environ(), managedVariable+"=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("in mounts of its own: %v", err)
	}
	return false
}

// said is what a person reads of an error.
func said(err error) string {
	var e *stead.Error
	if errors.As(err, &e) {
		return e.Sentence() + " " + e.Code.Hint()
	}
	return fmt.Sprint(err)
}

// managedRoot runs no other browser than the one whose policies withPolicies sets.
func managedRoot(t *testing.T) *Root {
	r := newRoot(t)
	r.Choice = Choice{Pin: string(Chromium)}
	return r
}

// wantRefusal launches under the policies of the calling test and checks that it fails with that code within the
// limit, leaves nothing, and tells the person every one of the words.
func wantRefusal(t *testing.T, code stead.Code, limit time.Duration, words ...string) {
	t.Helper()
	ownPlaces(t)
	r := managedRoot(t)
	begin := time.Now()
	b, err := r.Launch(t.Context(), "s-"+rand.Text())
	took := time.Since(begin)
	t.Logf("%v: %s", took, said(err))
	if b != nil || stead.CodeOf(err) != code {
		t.Fatalf("got %v, %v", b, err)
	}
	if took > limit {
		t.Errorf("took %v", took)
	}
	for _, w := range words {
		if !strings.Contains(said(err), w) {
			t.Errorf("a person does not read %q", w)
		}
	}
	wantNoTrace(t, r)
}

func wantNoTrace(t *testing.T, r *Root) {
	t.Helper()
	if left, stray := sessionFolders(t, r), naming(r.dir); len(left) > 0 || len(stray) > 0 {
		t.Errorf("left the folders %v and the processes %v", left, stray)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

// wantSession runs a whole session under the policies of the calling test.
func wantSession(t *testing.T) {
	t.Helper()
	ownPlaces(t)
	r, app := managedRoot(t), newMemberApp(t)
	b := launch(t, r)
	v := app.visit("/")
	if err := b.Open(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if got := b.with.Policies; len(got) == 0 {
		t.Error("no policy was found")
	}
	if w, err := b.Close(t.Context()); err != nil || !w.Clean {
		t.Fatalf("%+v, %v", w, err)
	}
	wantNoTrace(t, r)
}

const (
	company = "managed/company.json"
	asSeen  = "/etc/chromium/policies/" + company
	// A launch that a known policy makes fail: managedLimit, and the end of a browser on a busy machine.
	failLimit = managedLimit + 5*time.Second
)

func TestPolicyRemoteDebuggingAllowed(t *testing.T) {
	if withPolicies(t, map[string]string{company: `{"RemoteDebuggingAllowed": false}`}) {
		wantRefusal(t, stead.CodeBrowserPolicy, failLimit, "RemoteDebuggingAllowed=false in "+asSeen, "IT must remove this policy or set it to true")
	}
}

func TestPolicyRemoteDebuggingAllowedAsARecommendation(t *testing.T) {
	const file = "recommended/company.json"
	if withPolicies(t, map[string]string{file: `{"RemoteDebuggingAllowed": false}`}) {
		wantRefusal(t, stead.CodeBrowserPolicy, failLimit, "RemoteDebuggingAllowed=false in /etc/chromium/policies/"+file)
	}
}

func TestPolicyDeveloperToolsAvailability(t *testing.T) {
	if withPolicies(t, map[string]string{company: `{"DeveloperToolsAvailability": 2}`}) {
		wantRefusal(t, stead.CodeBrowserPolicy, failLimit, "DeveloperToolsAvailability=2 in "+asSeen, "set it to 0 or 1")
	}
}

func TestPolicyDeveloperToolsDisabled(t *testing.T) {
	if withPolicies(t, map[string]string{company: `{"DeveloperToolsDisabled": true}`}) {
		wantRefusal(t, stead.CodeBrowserPolicy, failLimit, "DeveloperToolsDisabled=true in "+asSeen, "set it to false")
	}
}

// With a window of the browser's own this would open a profile picker and nothing else. A session has none.
func TestPolicyBrowserSignin(t *testing.T) {
	if withPolicies(t, map[string]string{company: `{"BrowserSignin": 2}`}) {
		wantSession(t)
	}
}

func TestPolicyIncognitoModeForced(t *testing.T) {
	if withPolicies(t, map[string]string{company: `{"IncognitoModeAvailability": 2}`}) {
		wantRefusal(t, stead.CodeBrowserPolicy, failLimit, "IncognitoModeAvailability=2 in "+asSeen, "set it to 0 or 1")
	}
}

func TestPolicyGuestModeEnforced(t *testing.T) {
	if withPolicies(t, map[string]string{company: `{"BrowserGuestModeEnforced": true}`}) {
		wantSession(t)
	}
}

// A session needs no incognito mode: its own memory is a context of another kind.
func TestPolicyIncognitoModeDisabled(t *testing.T) {
	if withPolicies(t, map[string]string{company: `{"IncognitoModeAvailability": 1}`}) {
		wantSession(t)
	}
}

// On Linux the browser does not know this policy, which elsewhere would lead it into the agent's own folder.
func TestPolicyUserDataDirOnLinux(t *testing.T) {
	if withPolicies(t, map[string]string{company: `{"UserDataDir": "/tmp/agent"}`}) {
		wantSession(t)
		if _, err := os.Stat("/tmp/agent"); err == nil {
			t.Error("the browser used that folder")
		}
	}
}

func TestPolicyURLBlocklist(t *testing.T) {
	if !withPolicies(t, map[string]string{company: `{"URLBlocklist": ["example.com", "portal.localhost"]}`}) {
		return
	}
	ownPlaces(t)
	r, app := managedRoot(t), newMemberApp(t)
	b := launch(t, r)
	err := b.Open(t.Context(), app.visit("/"))
	t.Log(said(err))
	if stead.CodeOf(err) != stead.CodeBrowserOpenFailed || !strings.Contains(said(err), "URLBlocklist=example.com, portal.localhost in "+asSeen) {
		t.Errorf("a person reads %q", said(err))
	}
	if len(app.seen()) > 0 {
		t.Error("a request reached the member app")
	}
	if w, err := b.Close(t.Context()); err != nil || !w.Clean {
		t.Fatalf("%+v, %v", w, err)
	}
	wantNoTrace(t, r)
}

// The cache of the browser itself lands in that folder, and nothing of the session does.
func TestPolicyDiskCacheDir(t *testing.T) {
	if !withPolicies(t, map[string]string{company: `{"DiskCacheDir": "` + t.TempDir() + `"}`}) {
		return
	}
	ownPlaces(t)
	r, app := managedRoot(t), newMemberApp(t)
	b := launch(t, r)
	v := app.visit("/second")
	if err := b.Open(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if w, err := b.Close(t.Context()); err != nil || !w.Clean {
		t.Fatalf("%+v, %v", w, err)
	}
	kept := b.with.Policies[0].Value // made by the first run
	if left, err := os.ReadDir(kept); err != nil || len(left) == 0 {
		t.Fatalf("the policy had no effect, so this test shows nothing: %v, %v", left, err)
	}
	for _, canary := range []string{string(v.Cookie.Value), "Second page", "portal.localhost"} {
		if got := traces(t, stead.Secret(canary), kept); len(got) > 0 {
			t.Errorf("%q is in %v", canary, got)
		}
	}
}

// Two files may say two things. Ours must believe the one that the browser believes.
func TestPolicyOfTheLastFileIsInForce(t *testing.T) {
	if !withPolicies(t, map[string]string{
		"managed/10.json": `{"RemoteDebuggingAllowed": false}`, "managed/20.json": `{"RemoteDebuggingAllowed": true}`,
		"recommended/30.json": `{"RemoteDebuggingAllowed": false}`,
	}) {
		return
	}
	wantSession(t)
	found, err := Find(t.Context(), Choice{Pin: string(Chromium)})
	if err != nil || !strings.HasPrefix(found[0].Policies[0].String(), "RemoteDebuggingAllowed=true in /etc/chromium/policies/managed/20.json") {
		t.Errorf("%+v, %v", found, err)
	}
}

// Chromium forgives these, so Stead must read what is in them.
func TestPolicyFileThatChromiumForgives(t *testing.T) {
	if withPolicies(t, map[string]string{company: "\xef\xbb\xbf// by IT\n{\"RemoteDebuggingAllowed\": /* no */ false, }"}) {
		wantRefusal(t, stead.CodeBrowserPolicy, failLimit, "RemoteDebuggingAllowed=false in "+asSeen)
	}
}

// Chromium passes over a file that it cannot read, so the session runs; but somebody meant something by it.
func TestPolicyFileThatIsBroken(t *testing.T) {
	if !withPolicies(t, map[string]string{company: `{"RemoteDebuggingAllowed": fal`}) {
		return
	}
	wantSession(t)
	found, err := Find(t.Context(), Choice{Pin: string(Chromium)})
	if err != nil || len(found[0].Policies) != 1 || found[0].Policies[0].Effect != Unknown || found[0].Policies[0].Source != asSeen {
		t.Errorf("%+v, %v", found, err)
	}
}
