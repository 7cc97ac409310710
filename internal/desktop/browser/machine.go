package browser

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// machine is all that finding browsers and their policies asks of a computer, so that the code for each system is
// ordinary code that a test runs anywhere. Its paths are written as its system writes them.
type machine struct {
	system string // as runtime.GOOS
	user   string // login name
	home   string
	getenv func(string) string
	files  files
	keys   keys // the Windows registry
	run    func(ctx context.Context, program string, args ...string) ([]byte, error)
}

// files is what is read of a file system.
type files interface {
	Stat(name string) (fs.FileInfo, error)    // of what a link leads to
	ReadFile(name string) ([]byte, error)     // fileLimit bytes at most
	List(dir string) ([]string, error)        // names in it, sorted
	EvalSymlinks(name string) (string, error) // the file itself
}

// fileLimit is far above any file that is read here, and bounds what a strange one costs.
const fileLimit = 4 << 20

// runLimit bounds each program that is asked something: mdfind and plutil answer in a tenth of a second, or not at all.
const runLimit = 5 * time.Second

// thisMachine is the computer that this program runs on.
func thisMachine() machine {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // what would lie there is then not found
	}
	return machine{
		system: runtime.GOOS, user: os.Getenv("USER"), home: home, getenv: os.Getenv, files: disk{}, keys: systemRegistry{},
		run: func(ctx context.Context, program string, args ...string) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, runLimit)
			defer cancel()
			cmd := exec.CommandContext(ctx, program, args...)
			cmd.WaitDelay = time.Second // a child of it may hold the pipe open
			return cmd.Output()
		},
	}
}

// disk is the real file system.
type disk struct{}

func (disk) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

func (disk) ReadFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, fileLimit))
}

func (disk) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (disk) EvalSymlinks(name string) (string, error) { return filepath.EvalSymlinks(name) }

// isFile reports whether there is a file, and on Unix one that may be run.
func (m machine) isFile(name string) bool {
	info, err := m.files.Stat(name)
	return err == nil && info.Mode().IsRegular() && (m.system == "windows" || info.Mode().Perm()&0o111 != 0)
}

// join joins as the machine's system does, which need not be ours.
func (m machine) join(parts ...string) string {
	return strings.Join(parts, m.separator())
}

func (m machine) separator() string {
	if m.system == "windows" {
		return `\`
	}
	return "/"
}

// folder and base are the two halves of a path, "" and the path itself when it has no separator.
func (m machine) folder(name string) string {
	return name[:max(0, strings.LastIndex(name, m.separator()))]
}

func (m machine) base(name string) string {
	return name[strings.LastIndex(name, m.separator())+1:]
}

// lookPath finds a program as a Unix shell does, but never in a relative folder.
func (m machine) lookPath(name string) (string, bool) {
	for _, dir := range strings.Split(m.getenv("PATH"), ":") {
		if file := strings.TrimRight(dir, "/") + "/" + name; strings.HasPrefix(dir, "/") && m.isFile(file) {
			return file, true
		}
	}
	return "", false
}

// Views of the Windows registry: programs of 32 bits have a second set of some keys.
var views = [...]int{64, 32}

// Hives of the Windows registry.
const (
	hkcu = "HKCU"
	hklm = "HKLM"
)

// key names one key of the Windows registry.
type key struct {
	hive string
	view int
	path string
}

func (k key) String() string { return k.hive + `\` + k.path }

func (k key) sub(name string) key { return key{k.hive, k.view, k.path + `\` + name} }

// keys is what is read of the Windows registry. What is not there is fs.ErrNotExist.
type keys interface {
	Value(k key, name string) (string, error) // the default value for ""; numbers in decimal
	Names(k key) ([]string, error)            // of values, sorted
	Subkeys(k key) ([]string, error)          // sorted
}

// values reads all values of a key in the order of their names: how lists are written there.
func values(r keys, k key) ([]string, error) {
	names, err := r.Names(k)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var list []string
	for _, name := range names {
		v, err := r.Value(k, name)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
