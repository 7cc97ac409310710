package export_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/erasure"
	"stead/internal/platform/export"
	"stead/internal/platform/store"
)

// python runs the verifier that lies in the bundle format, from files of its own.
func python(t testing.TB) func(args ...string) (code int, out string) {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no python3, and CI must have it: the second verifier was not run")
		}
		t.Skip("THE SECOND VERIFIER WAS NOT RUN: there is no python3 here; install it with: apt-get install python3")
	}
	dir := t.TempDir()
	for _, name := range []string{"proof.py", "trust.py", "verify.py"} {
		if err := os.WriteFile(filepath.Join(dir, name), audit.Papers()[name], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(args ...string) (int, string) {
		cmd := exec.Command(path, append([]string{filepath.Join(dir, "verify.py")}, args...)...)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if strings.Contains(string(out), "Traceback") {
			t.Errorf("the second verifier crashed: %s", out)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
}

func TestBundleIsProvenByBothVerifiers(t *testing.T) {
	w := newWorld(t)
	w.history()
	path, m := w.export(w.options())
	proof, err := verify(path)
	if err != nil {
		t.Fatal(err)
	}
	if proof.Checkpoint.Size != m.Size || m.Size < 20 || m.Pending != 0 || proof.Checkpoints != 4 {
		t.Errorf("%+v", proof)
	}
	if m.Sessions.Live != 1 || m.Sessions.Ended["agent"] != 1 || m.Sessions.Ended["admin"] != 1 || m.Sessions.Ended["not_opened"] != 1 || m.Sessions.Refused != 1 {
		t.Errorf("sessions: %+v", m.Sessions)
	}
	if m.Texts.Opened < 10 || m.Texts.Erased+m.Texts.Redacted+m.Texts.Absent+m.Texts.Since > 0 || m.Notices.Hidden != 1 || m.Notices.Released != 5 {
		t.Errorf("texts %+v, notices %+v", m.Texts, m.Notices)
	}
	if code, out := python(t)(path); code != 0 || !strings.Contains(out, "proven: platform.test") || !strings.Contains(out, "Give --key") {
		t.Errorf("exit %d: %s", code, out)
	}
	again, _ := w.export(w.options())
	if a, b := membersOf(t, path), membersOf(t, again); len(a) != len(b) {
		t.Errorf("%d and %d members", len(a), len(b))
	} else {
		for i := range a {
			if a[i].name != "manifest.json" && !bytes.Equal(a[i].data, b[i].data) {
				t.Errorf("%s differs between two exports of one state", a[i].name)
			}
		}
	}
}

// TestPendingRecordsAreInTheBundle exports while records wait for the sequencer, an end among them.
func TestPendingRecordsAreInTheBundle(t *testing.T) {
	w := newWorld(t)
	w.history()
	id := w.live(bo)
	_, err := w.auth.End(w.Context(), lena, id, stead.CauseBanner)
	w.must(err)
	path, m := w.export(w.options())
	if m.Pending < 4 || m.Sessions.Ended["banner"] != 1 {
		t.Errorf("%+v", m)
	}
	if proof, err := verify(path); err != nil || proof.Pending != m.Pending {
		t.Errorf("%+v, %v", proof, err)
	}
	if code, out := python(t)(path); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestRedactedBundleHasNoText(t *testing.T) {
	w := newWorld(t)
	w.history()
	full, m := w.export(w.options())
	path, r := w.export(export.Options{Redact: true, Tool: "stead test"})
	if r.Texts.Redacted != m.Texts.Opened || r.Texts.Opened != 0 {
		t.Errorf("withheld %+v of %+v", r.Texts, m.Texts)
	}
	secrets := []string{"Ana Souza", "Bo Lind", "Lena Ortiz", "ana@members.test", "plan page", "shown wrongly", "Lena's laptop", "Sam Okoye", "st-lena", "st-priya", "m-ana"}
	found := 0
	for _, member := range membersOf(t, full) {
		found += count(member.data, secrets)
	}
	if found < 10 {
		t.Fatalf("only %d of the texts are in the whole bundle: this test looks for the wrong ones", found)
	}
	for _, member := range membersOf(t, path) {
		if n := count(member.data, secrets); n > 0 {
			t.Errorf("%s holds %d texts that were to be withheld", member.name, n)
		}
	}
	if _, err := verify(path); err != nil {
		t.Error(err)
	}
	if code, out := python(t)(path); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
}

func count(data []byte, secrets []string) (n int) {
	for _, s := range secrets {
		n += bytes.Count(data, []byte(s))
	}
	return n
}

func TestErasedAndOlderTextsAreCounted(t *testing.T) {
	w := newWorld(t)
	w.history()
	_, err := w.auth.End(t.Context(), lena, w.opened, stead.CauseAgent)
	w.must(err)
	w.sequence()
	before, all := w.export(w.options())
	erase := &erasure.Office{Store: w.store, Ledger: w.ledger, List: filepath.Join(w.dir, "erased"), Marks: w.ring, Log: slog.New(slog.DiscardHandler)}
	_, err = erase.Erase(t.Context(), erasure.By{Operator: "root"}, store.Person{Member: ana.ID}, stead.NewEventID(), "asked for by letter")
	w.must(err)
	w.record(audit.SessionObservedEnd, &ana.Pseudonym, []audit.Text{audit.NewText("reason", "still about Ana")}, audit.Body{"cause": "agent"})
	w.sequence()
	o := w.options()
	path, m := w.export(o)
	const said = 3 // texts of the record of the erasure (why, and who did it), and one that a device brought too late
	if m.Texts.Erased < 5 || m.Texts.Opened < 5 || m.Texts.Absent > 0 || m.Texts.Erased+m.Texts.Opened != all.Texts.Opened+said || m.Size != all.Size+2 {
		t.Errorf("%+v of %+v", m.Texts, all.Texts)
	}
	note := []string{"The plan of Ana Souza was shown wrongly."}
	for file, want := range map[string]int{before: 1, path: 0} {
		n := 0
		for _, member := range membersOf(t, file) {
			n += count(member.data, note)
		}
		if n != want {
			t.Errorf("the note about the erased member is there %d times, want %d", n, want)
		}
	}
	o.Since = time.Now().Add(time.Hour)
	later, s := w.export(o)
	if s.Texts.Since != m.Texts.Opened+m.Texts.Erased || s.Size != m.Size {
		t.Errorf("%+v", s.Texts)
	}
	for _, p := range []string{path, later} {
		if _, err := verify(p); err != nil {
			t.Error(err)
		}
		if code, out := python(t)(p); code != 0 {
			t.Errorf("exit %d: %s", code, out)
		}
	}
}

func TestLinesHoldEachRecordOnce(t *testing.T) {
	w := newWorld(t)
	w.history()
	var out bytes.Buffer
	n, err := export.Lines(t.Context(), &out, w.evidence(), w.options())
	w.must(err)
	rows := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	_, m := w.export(w.options())
	if int64(len(rows)) != n || n != m.Size {
		t.Fatalf("%d lines, %d said, %d records", len(rows), n, m.Size)
	}
	texts := 0
	for i, row := range rows {
		var line export.Line
		if err := json.Unmarshal([]byte(row), &line); err != nil || line.Place != int64(i) || *line.Position != int64(i) {
			t.Fatalf("line %d: %v: %s", i, err, row)
		}
		texts += len(line.Texts)
	}
	if int64(texts) != m.Texts.Opened || !strings.Contains(out.String(), "shown wrongly") {
		t.Errorf("%d texts", texts)
	}
	out.Reset()
	if _, err := export.Lines(t.Context(), &out, w.evidence(), export.Options{Redact: true}); err != nil || count(out.Bytes(), []string{"Ana Souza", "plan page", "st-lena"}) > 0 {
		t.Errorf("redacted lines: %v", err)
	}
	o := w.options()
	o.Since = time.Now().Add(time.Hour)
	if n, err := export.Lines(t.Context(), io.Discard, w.evidence(), o); n != 0 || err != nil {
		t.Errorf("%d lines of the future, %v", n, err)
	}
}

func TestFileIsWholeOrNotThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.zip")
	failed := errors.New("half way")
	if err := export.File(path, func(w io.Writer) error { _, _ = w.Write([]byte("half")); return failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	write := func(w io.Writer) error { _, err := w.Write([]byte("whole")); return err }
	if err := export.File(path, write); err != nil {
		t.Error(err)
	}
	if err := export.File(path, write); stead.CodeOf(err) != stead.CodeBadRequest {
		t.Errorf("a file was replaced: %v", err)
	}
	if err := export.File(filepath.Join(dir, "no", "out.zip"), write); stead.CodeOf(err) != stead.CodeDataReadOnly {
		t.Errorf("no folder: %v", err)
	}
}

func TestExportEndsWhenItIsToldTo(t *testing.T) {
	w := newWorld(t)
	w.history()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := export.Bundle(ctx, io.Discard, w.evidence(), w.options()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

type member struct {
	name string
	data []byte
}

// membersOf unpacks a zip.
func membersOf(t testing.TB, path string) (all []member) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = z.Close() }()
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		all = append(all, member{f.Name, data})
	}
	return all
}
