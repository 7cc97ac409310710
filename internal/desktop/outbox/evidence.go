package outbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/gofrs/flock"

	"stead/internal/stead"
)

// evidenceFolder lies beside the outbox. What is in it is never deleted or written again.
const evidenceFolder = "evidence"

// evidenceForm is how a file there is called: device, generation, when it was put there (UTC), and a number where two
// would have the same name.
var evidenceForm = regexp.MustCompile(`^outbox-[0-9a-f]{32}-g[0-9]{1,20}-[0-9]{8}T[0-9]{6}Z(-[0-9]{1,3})?\.db`)

// owedMark stands before the name of evidence in the bucket owed, so that it is found in a damaged file too.
const owedMark = "owed:"

func owedKey(name []byte) []byte { return append([]byte(owedMark), name...) }

// suspect is a damaged file, held under its lock so that no outbox opens it meanwhile.
type suspect struct {
	*os.File
	path string
	size int64
	lock *flock.Flock
}

// hold locks the file. CodeAlreadyRunning means that an outbox has it open.
func hold(ctx context.Context, path string) (*suspect, error) {
	s := &suspect{path: path, lock: flock.New(path, flock.SetFlag(os.O_RDONLY))}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	lock := s.lock.TryLockContext
	if runtime.GOOS == "windows" { // where nobody can read what is locked for one alone
		lock = s.lock.TryRLockContext
	}
	if ok, err := lock(ctx, 20*time.Millisecond); !ok {
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, stead.Errorf(stead.CodeAlreadyRunning, "%s", filepath.Dir(path)).Because(err)
		}
		return nil, openError(path, err)
	}
	var err error
	if s.File, err = os.Open(path); err != nil {
		return nil, errors.Join(openError(path, err), s.lock.Close())
	}
	info, err := s.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = damaged("a %s", info.Mode().Type())
	}
	if locked, lockErr := s.lock.Stat(); err == nil && (lockErr != nil || !os.SameFile(info, locked)) {
		err = stead.Errorf(stead.CodeAlreadyRunning, "%s", filepath.Dir(path)) // it was replaced at this moment
	}
	if err != nil {
		s.release()
		return nil, openError(path, err)
	}
	s.size = info.Size()
	return s, nil
}

func (s *suspect) release() {
	_ = s.Close() // it was only read
	_ = s.lock.Close()
}

// sum is the SHA-256 of the file.
func (s *suspect) sum() (out [32]byte, err error) {
	h := sha256.New()
	if _, err = io.Copy(h, io.NewSectionReader(s, 0, s.size)); err == nil {
		h.Sum(out[:0])
	}
	return out, err
}

// keep gives the file a second name in the evidence folder, durably, and returns it. A file that has one there already,
// because the recovery before was interrupted, keeps that.
func (s *suspect) keep(device stead.DeviceID, generation uint64, sum [32]byte, now time.Time) (name string, err error) {
	folder := filepath.Join(filepath.Dir(s.path), evidenceFolder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	if name, err = s.kept(folder, sum); name != "" || err != nil {
		return name, err
	}
	base := fmt.Sprintf("outbox-%s-g%d-%s", device, generation, now.UTC().Format("20060102T150405Z"))
	for n := 1; n < 1000; n++ {
		name = base + ".db"
		if n > 1 {
			name = fmt.Sprintf("%s-%d.db", base, n)
		}
		err = os.Link(s.path, filepath.Join(folder, name))
		if linkless(err) {
			err = s.copyTo(filepath.Join(folder, name))
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err == nil {
		err = errors.Join(syncFolder(folder), syncFolder(filepath.Dir(folder)))
	}
	return name, err
}

// kept looks for the file among the evidence.
func (s *suspect) kept(folder string, sum [32]byte) (string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	own, err := s.Stat()
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !evidenceForm.MatchString(e.Name()) || info.Size() != s.size {
			continue
		}
		if os.SameFile(own, info) {
			return e.Name(), nil
		}
		if other, err := sumOf(filepath.Join(folder, e.Name())); err == nil && other == sum {
			return e.Name(), nil
		}
	}
	return "", nil
}

func sumOf(path string) (out [32]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return out, err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err = io.Copy(h, f); err == nil {
		h.Sum(out[:0])
	}
	return out, err
}

// copyTo is keep where no file can have two names: under a passing name first, so that no half copy counts.
func (s *suspect) copyTo(path string) error {
	if exists(path) {
		return fs.ErrExist
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".copy-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = io.Copy(tmp, io.NewSectionReader(s, 0, s.size))
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// protect takes the right to write away from evidence. It comes last: until then the file also has its old name, and
// an outbox that cannot be written is another trouble than one that is damaged.
func protect(path string) error {
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() == 0o400 {
		return err
	}
	if err := os.Chmod(path, 0o400); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}
