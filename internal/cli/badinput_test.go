package cli

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver, to plant a newer schema

	"stead/internal/desktop"
	"stead/internal/stead"
)

// stead runs a command line and returns what a person sees.
func command(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	noWindow := func(context.Context, Desk) error { return stead.Errorf(stead.CodeNoWindow, "no display") }
	code = Run(t.Context(), args, &o, &e, noWindow)
	return code, o.String(), e.String()
}

// wantRefused checks the exit code and that what a person reads is one line: what, and what to do.
func wantRefused(t *testing.T, code int, errOut string, want stead.Code) {
	t.Helper()
	if code != ExitCode(want) || code == 0 {
		t.Errorf("exit code %d, want %d", code, ExitCode(want))
	}
	sentence, hint := want.Sentence(), want.Hint()
	if sayable[want] && strings.HasPrefix(errOut, "stead: "+missing) { // TestWhatIsNotThereIsNamed says where
		sentence, hint = missing, "Check the path"
	}
	if !strings.Contains(errOut, strings.TrimSuffix(sentence, ".")) || !strings.Contains(errOut, hint) || strings.Count(errOut, "\n") != 1 {
		t.Errorf("a person reads %q", errOut)
	}
}

func demoArgs(t *testing.T, data string) []string {
	return []string{"demo", "--headless", "--data", data, "--out", t.TempDir(), "--port", strconv.Itoa(freePort(t))}
}

func TestPortTaken(t *testing.T) {
	args := demoArgs(t, demoData(t))
	port, err := strconv.Atoi(args[len(args)-1])
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+1)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	code, _, errOut := command(t, args...)
	wantRefused(t, code, errOut, stead.CodePortTaken)
	if !strings.Contains(errOut, strconv.Itoa(port+1)) {
		t.Errorf("the port is not named in %q", errOut)
	}
}

func TestDataFolderReadOnly(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Fatal("this test needs an ordinary user: root may write everywhere; build/test.sh runs it as one")
	}
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	code, _, errOut := command(t, demoArgs(t, dir)...)
	wantRefused(t, code, errOut, stead.CodeDataReadOnly)
}

func TestDataOfANewerVersionIsLeftAlone(t *testing.T) {
	dir := demoData(t)
	c := &demoCommand{Data: dir, Port: freePort(t)}
	d, err := openDemo(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "platform", "platform.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	code, _, errOut := command(t, demoArgs(t, dir)...)
	wantRefused(t, code, errOut, stead.CodeDataNewer)
}

func TestSecondInstance(t *testing.T) {
	dir := demoData(t)
	d, err := openDemo(t.Context(), &demoCommand{Data: dir, Port: freePort(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	code, _, errOut := command(t, demoArgs(t, dir)...)
	wantRefused(t, code, errOut, stead.CodeAlreadyRunning)
}

func TestSecondWindow(t *testing.T) {
	dir := t.TempDir()
	open := func() (*desktop.Desk, error) {
		return desktop.Open(t.Context(), desktop.Config{PlatformURL: "http://127.0.0.1:9", DataDir: dir, CacheDir: t.TempDir(), Keyring: "stead-test-" + filepath.Base(dir)})
	}
	first, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(); stead.CodeOf(err) != stead.CodeAlreadyRunning {
		t.Errorf("second window: %v", err)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := open()
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	if err := again.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestPlatformUnreachable(t *testing.T) {
	dir := t.TempDir()
	d, err := desktop.Open(t.Context(), desktop.Config{PlatformURL: "http://127.0.0.1:9", DataDir: dir, CacheDir: t.TempDir(), Keyring: "stead-test-" + filepath.Base(dir)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close(context.Background()) }()
	stage, _, err := d.Connect(t.Context())
	if stage != desktop.StageUnreachable || stead.CodeOf(err) != stead.CodeUnreachable {
		t.Errorf("stage %s, %v", stage, err)
	}
}

func TestNoKeyring(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	code, _, errOut := command(t, demoArgs(t, demoData(t))...)
	wantRefused(t, code, errOut, stead.CodeKeyringMissing)
}

func TestNoBrowserLosesNothing(t *testing.T) {
	data := demoData(t)
	onlyPrograms(t, nil)
	code, out, errOut := command(t, demoArgs(t, data)...)
	wantRefused(t, code, errOut, stead.CodeBrowserMissing)
	if !strings.Contains(out, "FAIL  the session starts") {
		t.Errorf("it got as far as %q", out)
	}
}

func TestNoWindow(t *testing.T) {
	args := demoArgs(t, demoData(t))
	code, _, errOut := command(t, append([]string{"demo"}, args[2:]...)...)
	wantRefused(t, code, errOut, stead.CodeNoWindow)
}

func TestServeConfig(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("0123456789abcdef0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := `{"listen":"127.0.0.1:0","data":"` + filepath.Join(dir, "data") + `","public_url":"https://stead.example","issuer":"https://idp.example",` +
		`"client_id":"stead","audience":"https://stead.example","app":{"id":"portal","secret_file":"` + secret + `","audience":"https://portal.example",` +
		`"start_url":"https://portal.example/","cookie_name":"__Host-stead"}}`
	for name, c := range map[string]struct{ config, want string }{
		"unknown key":             {strings.Replace(good, `"listen"`, `"lsiten":1,"listen"`, 1), "lsiten"},
		"not JSON":                {"{\n\n,", "line 3"},
		"no public address":       {strings.Replace(good, "https://stead.example\",\"issuer", "\",\"issuer", 1), "public_url"},
		"plain http":              {strings.Replace(good, "https://idp.example", "http://idp.example", 1), "issuer"},
		"leaves the machine bare": {strings.Replace(good, "127.0.0.1:0", "0.0.0.0:0", 1), "tls_cert"},
		"no secret":               {strings.Replace(good, secret, secret+"x", 1), "there is no such file"},
		"a short secret":          {strings.Replace(good, secret, short, 1), "openssl rand"},
		"a negative retention":    {strings.Replace(good, `"listen"`, `"retention_days":-1,"listen"`, 1), "retention_days"},
		"a retention of ages":     {strings.Replace(good, `"listen"`, `"retention_days":99999,"listen"`, 1), "retention_days"},
		"a fence with a path":     {strings.Replace(good, `"start_url"`, `"payment":["https://pay.example/x"],"start_url"`, 1), "app.payment"},
		"a start outside":         {strings.Replace(good, `"start_url"`, `"origins":["https://other.example"],"start_url"`, 1), "app.start_url"},
		"downloads anywhere":      {strings.Replace(good, `"start_url"`, `"downloads":"allow","start_url"`, 1), "app.downloads"},
		"a cookie for all hosts":  {strings.Replace(good, "__Host-stead", "stead", 1), "__Host-"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "platform.json")
			if err := os.WriteFile(file, []byte(c.config), 0o600); err != nil {
				t.Fatal(err)
			}
			code, _, errOut := command(t, "platform", "serve", "--config", file)
			wantRefused(t, code, errOut, stead.CodeConfigInvalid)
			if !strings.Contains(errOut, c.want) {
				t.Errorf("%q does not name %q", errOut, c.want)
			}
		})
	}
	t.Run("good", func(t *testing.T) {
		file := filepath.Join(dir, "platform.json")
		if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), reachLimit+2*time.Second)
		defer stop()
		var out, errOut bytes.Buffer
		if code := Run(ctx, []string{"platform", "serve", "--config", file}, &out, &errOut, nil); code != 0 {
			t.Errorf("exit %d: %s", code, errOut.String())
		}
		if !strings.Contains(out.String(), "first superadmin") {
			t.Errorf("the first run says %q", out.String())
		}
	})
}

// TestServeRefusesTheDemosSignIn: a provider that asks nobody for a password is none for a platform that serves.
func TestServeRefusesTheDemosSignIn(t *testing.T) {
	d, err := openDemo(t.Context(), &demoCommand{Data: demoData(t), Port: freePort(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	dir := t.TempDir()
	secret, file := filepath.Join(dir, "secret"), filepath.Join(dir, "platform.json")
	config := `{"listen":"127.0.0.1:0","data":"` + filepath.Join(dir, "data") + `","public_url":"https://stead.example","issuer":"` + d.issuer + `",` +
		`"client_id":"stead","audience":"https://stead.example","app":{"id":"portal","secret_file":"` + secret + `","audience":"https://portal.example",` +
		`"start_url":"https://portal.example/","cookie_name":"__Host-stead"}}`
	err = errors.Join(os.WriteFile(secret, []byte(strings.Repeat("0", 64)), 0o600), os.WriteFile(file, []byte(config), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	code, out, errOut := command(t, "platform", "serve", "--config", file)
	wantRefused(t, code, errOut, stead.CodeConfigInvalid)
	if !strings.Contains(errOut, "asks nobody for a password") || strings.Contains(out, "Serving") {
		t.Errorf("%s%s", out, errOut)
	}
}

func TestUsageAndHelp(t *testing.T) {
	if code, _, errOut := command(t, "nonsense"); code != exitUsage || !strings.Contains(errOut, "stead --help") {
		t.Errorf("exit %d: %q", code, errOut)
	}
	if code, out, _ := command(t, "--help"); code != 0 || !strings.Contains(out, "demo") {
		t.Errorf("exit %d: %q", code, out)
	}
	if code, out, _ := command(t, "help", "platform", "serve"); code != 0 || !strings.Contains(out, "--config") {
		t.Errorf("exit %d: %q", code, out)
	}
	if code, _, errOut := command(t, "demo", "--headless", "--port", "99999"); code != exitMachine || !strings.Contains(errOut, "65533") {
		t.Errorf("exit %d: %q", code, errOut)
	}
	if code, out, _ := command(t, "version", "--json"); code != 0 || !strings.Contains(out, `"version"`) {
		t.Errorf("exit %d: %q", code, out)
	}
	var e bytes.Buffer
	if code := Report(&e, errors.New("plain")); code != exitFailed || !strings.Contains(e.String(), "plain") {
		t.Errorf("exit %d: %q", code, e.String())
	}
}

// TestHeadlessRun is the whole main job, as ./build/demo.sh --headless does it.
func TestHeadlessRun_S0_01_S0_02_S0_04_S0_05_S0_16_S1_03_S1_04_S1_10_S1_11_S2_07_S2_08(t *testing.T) {
	args := demoArgs(t, demoData(t))
	code, out, errOut := command(t, args...)
	if code != 0 || !strings.Contains(out, "all as promised") {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
}
