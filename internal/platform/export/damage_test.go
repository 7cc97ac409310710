package export_test

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stead/internal/audit"
	"stead/internal/audit/bundle"
	"stead/internal/stead"

	"stead/internal/platform/export"
)

// driver runs the second verifier on one bundle after the other: a path a line in, an exit code a line out.
const driver = `import sys, io, contextlib
import verify
for line in sys.stdin:
    sys.argv = ["verify.py"] + line.rstrip("\n").split("\t")
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            code = verify.main()
    except BaseException as e:
        code, out = 99, io.StringIO(repr(e))
    print(code, " ".join(out.getvalue().split())[:200], flush=True)
`

// second is the second verifier, kept running.
type second struct {
	t   testing.TB
	in  io.WriteCloser
	out *bufio.Reader
}

func newSecond(t testing.TB) *second {
	t.Helper()
	python(t) // says why when there is none
	dir := t.TempDir()
	for _, name := range []string{"proof.py", "trust.py", "verify.py"} {
		if err := os.WriteFile(filepath.Join(dir, name), audit.Papers()[name], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("python3", "-B", "-c", driver)
	cmd.Env, cmd.Stderr = append(os.Environ(), "PYTHONPATH="+dir), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &second{t: t, in: in, out: bufio.NewReader(out)}
}

// verify returns the exit code and what was printed.
func (s *second) verify(args ...string) (code int, said string) {
	s.t.Helper()
	if _, err := fmt.Fprintln(s.in, strings.Join(args, "\t")); err != nil {
		s.t.Fatal(err)
	}
	line, err := s.out.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscan(line, &code)
	}
	if err != nil || code > 2 {
		s.t.Fatalf("the second verifier crashed: %q, %v", line, err)
	}
	return code, strings.TrimSpace(line)
}

// exitOf is the exit code that stead audit verify has for the error.
func exitOf(err error) int {
	var broken *audit.LedgerBroken
	switch {
	case err == nil:
		return 0
	case errors.As(err, &broken):
		return 1
	case stead.CodeOf(err) == stead.CodeLedgerUnusable:
		return 2
	}
	return 99
}

// pack writes the members as a zip. With sealed, the manifest is made to say what they are, as somebody would who wants
// the damage not to show there.
func pack(t testing.TB, path string, all []member, sealed bool) {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, m := range all {
		if sealed && m.name == "manifest.json" {
			m.data = reseal(m.data, all)
		}
		w, err := z.Create(m.name)
		if err == nil {
			_, err = w.Write(m.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), os.WriteFile(path, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func reseal(manifest []byte, all []member) []byte {
	var m bundle.Manifest
	if json.Unmarshal(manifest, &m) != nil {
		return manifest
	}
	m.Members = nil
	for _, x := range all[:len(all)-1] {
		sum := sha256.Sum256(x.data)
		m.Members = append(m.Members, bundle.Member{Name: x.name, Size: int64(len(x.data)), SHA256: hex.EncodeToString(sum[:])})
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	_ = e.Encode(m)
	return out.Bytes()
}

// pieces cuts a member into its entries or lines.
func pieces(m member) (out [][]byte) {
	if !strings.HasSuffix(m.name, ".entries") {
		return slices.DeleteFunc(bytes.SplitAfter(m.data, []byte("\n")), func(b []byte) bool { return len(b) == 0 })
	}
	for b := m.data; len(b) > 2; {
		n := 2 + int(binary.BigEndian.Uint16(b))
		out, b = append(out, b[:n]), b[n:]
	}
	return out
}

// proven is what of the contents a verifier promises, in one form: lines in any order, without the fields that are the
// platform's word alone.
func proven(all []member) string {
	var out []string
	for _, m := range all {
		switch {
		case m.name == "manifest.json":
			var v map[string]any
			if json.Unmarshal(m.data, &v) == nil {
				delete(v, "tool")
				delete(v, "made_ms")
				delete(v, "members")
			}
			b, _ := json.Marshal(v)
			out = append(out, m.name+string(b))
		case m.name == "keys.txt":
			keys := strings.Fields(string(m.data)) // in any order
			slices.Sort(keys)
			out = append(out, m.name+strings.Join(keys, "\n"))
		case strings.HasSuffix(m.name, ".ndjson"):
			out = append(out, m.name+strings.Join(provenLines(m), "\n"))
		case strings.Contains(m.name, "."):
			if strings.HasSuffix(m.name, ".entries") {
				out = append(out, m.name+string(m.data))
			} // the documents are for who reads them
		default:
			out = append(out, m.name+string(m.data))
		}
	}
	return strings.Join(out, "\x00")
}

func provenLines(m member) (lines []string) {
	for _, p := range pieces(m) {
		var v map[string]any
		if err := json.Unmarshal(p, &v); err != nil {
			return []string{string(m.data)}
		}
		for _, word := range map[string][]string{"staff.ndjson": {"id", "role", "tier", "privilege", "disabled"}, "notices.ndjson": {"notice", "created_ms"}, "doubts.ndjson": {"place", "doubt"}}[m.name] {
			delete(v, word)
		}
		for _, at := range []string{"released_ms", "read_ms"} {
			if _, has := v[at]; has {
				v[at] = v[at] != nil
			}
		}
		b, _ := json.Marshal(v)
		lines = append(lines, string(b))
	}
	if m.name != "texts.ndjson" {
		slices.Sort(lines)
	}
	return lines
}

// harm damages one of the members and says how.
func harm(r *rand.Rand, all []member, older []member) string {
	i := 6 + r.IntN(len(all)-6) // the documents come first
	m := &all[i]
	m.data = bytes.Clone(m.data)
	parts := pieces(*m)
	a, b := 0, 0
	if len(parts) > 0 {
		a, b = r.IntN(len(parts)), r.IntN(len(parts))
	}
	how := ""
	switch kind := r.IntN(7); {
	case kind <= 2 && len(m.data) > 0:
		at := r.IntN(len(m.data))
		m.data[at] ^= byte(1 << r.IntN(8))
		how = fmt.Sprintf("flip at %d", at)
	case kind == 3 && len(m.data) > 0:
		m.data = m.data[:r.IntN(len(m.data))]
		how = fmt.Sprintf("cut to %d", len(m.data))
	case kind == 4 && len(parts) > 1:
		parts[a], parts[b] = parts[b], parts[a]
		m.data, how = bytes.Join(parts, nil), fmt.Sprintf("swap %d and %d", a, b)
	case kind == 5 && len(parts) > 0:
		m.data, how = bytes.Join(slices.Insert(parts, b, parts[a]), nil), fmt.Sprintf("replay %d at %d", a, b)
	case kind == 6 && len(parts) > 0:
		m.data, how = bytes.Join(slices.Delete(parts, a, a+1), nil), fmt.Sprintf("drop %d", a)
	default:
		for _, old := range older {
			if old.name == m.name {
				m.data, how = old.data, "the older one"
			}
		}
	}
	return m.name + ": " + how
}

// TestDamageIsReportedByBothVerifiers damages bundles inside and outside, many times.
func TestDamageIsReportedByBothVerifiers(t *testing.T) {
	w := newWorld(t)
	w.history()
	past, _ := w.export(w.options())
	w.live(bo)
	w.trouble()
	path, _ := w.export(w.options())
	older, pristine := membersOf(t, past), membersOf(t, path)
	s := newSecond(t)
	r := rand.New(rand.NewPCG(uint64(damages), 7))
	file := filepath.Join(t.TempDir(), "damaged.zip")
	counts := map[string]int{}
	check := func(how string, changed, unsure bool) {
		_, err := verify(file)
		first := exitOf(err)
		code, said := s.verify(file)
		switch {
		case first == 99:
			t.Errorf("%s: %v", how, err)
		case changed && (first == 0 || code == 0):
			t.Errorf("%s: was not reported: %v; %s", how, err, said)
		case !unsure && (first == 0) != (code == 0):
			t.Errorf("%s: they disagree: %v; %s", how, err, said)
		}
		counts[fmt.Sprintf("changed %v, exit %d and %d", changed, first, code)]++
	}
	for n := range damages {
		all := slices.Clone(pristine)
		switch {
		case n%5 < 3: // inside, and sealed again
			how := harm(r, all, older)
			pack(t, file, all, true)
			last := len(all) - 1
			all[last].data = reseal(all[last].data, all) // as it was packed
			check(how+", sealed again", proven(all) != proven(pristine), false)
		case n%5 == 3: // inside, the manifest left as it is
			how := harm(r, all, older)
			pack(t, file, all, false)
			check(how, slices.EqualFunc(all[:len(all)-1], pristine[:len(all)-1], same) == false, false)
		default: // the zip itself
			how, changed := harmZip(t, r, path, file, pristine)
			check(how, changed, true)
		}
	}
	t.Logf("%v", counts)
}

func same(a, b member) bool { return a.name == b.name && bytes.Equal(a.data, b.data) }

// harmZip damages the file and reports whether what can be unpacked of it changed.
func harmZip(t testing.TB, r *rand.Rand, path, file string, pristine []member) (how string, changed bool) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := r.IntN(len(data))
	if r.IntN(3) == 0 { // where the directory is
		at = len(data) - 1 - r.IntN(2000)
	}
	how = fmt.Sprintf("zip flipped at %d of %d", at, len(data))
	if r.IntN(4) == 0 {
		data, how = data[:at], fmt.Sprintf("zip cut to %d of %d", at, len(data))
	} else {
		data[at] ^= byte(1 << r.IntN(8))
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	z, err := zip.OpenReader(file)
	if err != nil {
		return how, true
	}
	defer func() { _ = z.Close() }()
	var all []member
	for _, f := range z.File {
		m := member{name: f.Name}
		if rc, err := f.Open(); err == nil {
			m.data, _ = io.ReadAll(rc)
			_ = rc.Close()
		}
		all = append(all, m)
	}
	return how, !slices.EqualFunc(all, pristine, same)
}

// TestOlderBundleShowsAgainstATrustedCheckpoint: a whole older bundle is sound in itself, and rolled back.
func TestOlderBundleShowsAgainstATrustedCheckpoint(t *testing.T) {
	w := newWorld(t)
	w.history()
	past, _ := w.export(w.options())
	w.live(bo)
	w.sequence()
	now, m := w.export(w.options())
	keep := t.TempDir()
	var key, checkpoint string
	for _, x := range membersOf(t, now) {
		if x.name == "keys.txt" || x.name == "checkpoint" {
			w.must(os.WriteFile(filepath.Join(keep, x.name), x.data, 0o600))
		}
	}
	key, checkpoint = filepath.Join(keep, "keys.txt"), filepath.Join(keep, "checkpoint")
	trusted := audit.Checkpoint{Origin: m.Origin, Size: m.Size}
	root, err := hex.DecodeString(m.Root)
	w.must(err)
	trusted.Root = [32]byte(root)
	s := newSecond(t)
	for path, want := range map[string]int{past: 1, now: 0} {
		b, err := bundle.Open(t.Context(), path)
		w.must(err)
		own, err := ownKeys(b)
		w.must(err)
		_, err = b.Verify(bundle.Check{Keys: own, Trusted: &trusted})
		w.must(b.Close())
		code, said := s.verify("--key", key, "--trusted-checkpoint", checkpoint, path)
		if exitOf(err) != want || code != want {
			t.Errorf("want %d: %v; %s", want, err, said)
		}
	}
	other := newWorld(t)
	other.history()
	foreign, _ := other.export(other.options())
	if code, said := s.verify("--key", key, foreign); code != 1 {
		t.Errorf("another log of the same name: %s", said)
	}
}

// TestHostileZipsAreRefused: what is no bundle is not unpacked.
func TestHostileZipsAreRefused(t *testing.T) {
	w := newWorld(t)
	w.history()
	path, _ := w.export(export.Options{Redact: true})
	pristine := membersOf(t, path)
	s := newSecond(t)
	file := filepath.Join(t.TempDir(), "hostile.zip")
	with := func(change func([]member) []member) []member { return change(slices.Clone(pristine)) }
	for name, all := range map[string][]member{
		"absolute path": with(func(all []member) []member { all[4].name = "/tmp/verify.py"; return all }),
		"parent folder": with(func(all []member) []member { all[4].name = "../verify.py"; return all }),
		"a name twice":  with(func(all []member) []member { return slices.Insert(all, 5, all[5]) }),
		"another name":  with(func(all []member) []member { return append(all, member{"more.txt", nil}) }),
		"another order": with(func(all []member) []member { all[5], all[6] = all[6], all[5]; return all }),
		"one missing":   with(func(all []member) []member { return slices.Delete(all, 7, 8) }),
		"a bomb":        with(func(all []member) []member { all[0].data = make([]byte, 200<<20); return all }),
		"nothing":       nil,
	} {
		pack(t, file, all, true)
		_, err := verify(file)
		if code, said := s.verify(file); exitOf(err) != 2 || code != 2 {
			t.Errorf("%s: %v; %s", name, err, said)
		}
	}
	w.must(os.WriteFile(file, []byte("no zip"), 0o600))
	if code, said := s.verify(file); code != 2 {
		t.Errorf("no zip: %s", said)
	}
	for i := range pristine {
		if pristine[i].name == "manifest.json" {
			pristine[i].data = bytes.Replace(pristine[i].data, []byte("stead-bundle/1"), []byte("stead-bundle/2"), 1)
		}
	}
	pack(t, file, pristine, false)
	_, err := verify(file)
	if code, said := s.verify(file); exitOf(err) != 2 || code != 2 {
		t.Errorf("another format: %v; %s", err, said)
	}
}
