package signin

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestDefaultBrowserIsOpenedSilently(t *testing.T) {
	folder := t.TempDir()
	note := filepath.Join(folder, "note")
	script := "#!/bin/sh\necho chatter; echo chatter >&2\nprintf '%s' \"$1\" > " + note + "\n"
	if err := os.WriteFile(filepath.Join(folder, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	const address = "https://id.example.org/authorize?a=1&b=2"
	run := func(path string) (string, error) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{openEnv + "=" + address, "PATH=" + path}
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		return strings.TrimSpace(out.String()), err
	}
	out, err := run(folder)
	if got, _ := os.ReadFile(note); err != nil || out != "" || string(got) != address {
		t.Errorf("opened %q, printed %q, %v", got, out, err)
	}
	if _, err := run(t.TempDir()); err == nil {
		t.Error("no browser, and no error")
	}
}
