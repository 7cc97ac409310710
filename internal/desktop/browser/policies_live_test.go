//go:build linux

package browser

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
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
	cmd := exec.CommandContext(t.Context(), "unshare", "--user", "--map-current-user", "--keep-caps", "--mount",
		"sh", "-c", inside, "sh", dir, self, t.Name())
	cmd.Env = append(os.Environ(), managedVariable+"=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("in mounts of its own: %v", err)
	}
	return false
}

const managedFile = "managed/company.json"

func TestExperiment(t *testing.T) {
	raw, err := base64.StdEncoding.DecodeString(os.Getenv("POLICY_FILES"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	if err := json.Unmarshal(raw, &files); err != nil {
		t.Fatal(err)
	}
	if !withPolicies(t, files) {
		return
	}
	found, err := Find(t.Context(), Choice{})
	for _, f := range found {
		t.Logf("%+v", f)
	}
	t.Log(err)
	r := newRoot(t)
	begin := time.Now()
	b, err := r.Launch(t.Context(), "s-"+rand.Text())
	t.Logf("launch: %v after %v", err, time.Since(begin))
	if err == nil {
		app := newMemberApp(t)
		err = b.Open(t.Context(), app.visit("/"))
		t.Logf("open: %v", err)
		var e *stead.Error
		_ = e
		w, err := b.Close(t.Context())
		t.Logf("close: %+v %v", w, err)
	}
	t.Log(sessionFolders(t, r), naming(r.dir))
}
