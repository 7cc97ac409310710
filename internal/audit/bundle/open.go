package bundle

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"

	"stead/internal/audit"
	"stead/internal/stead"
)

// Bundle is an open bundle. Nothing in it is trusted before Verify returned. It implements audit.LedgerSource and is not
// safe for concurrent use, but for its iterators, each of which reads on its own.
type Bundle struct {
	ctx     context.Context // of Open; it ends what is being read
	file    *os.File
	members map[string]*zip.File
	order   []*zip.File
	records int // members that hold records
}

var _ audit.LedgerSource = (*Bundle)(nil)

// Open opens the file and looks at the container: exactly the members of a bundle, in their order, unpacked in ways and
// to sizes that a bundle has. Errors: stead.CodeLedgerUnusable.
func Open(ctx context.Context, path string) (*Bundle, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, stead.Errorf(stead.CodeLedgerUnusable, "%s", path).Because(err)
	}
	b, err := open(ctx, f)
	if err != nil {
		return nil, errors.Join(stead.Errorf(stead.CodeLedgerUnusable, "%s: %v", path, err).Because(err), f.Close())
	}
	return b, nil
}

func open(ctx context.Context, f *os.File) (*Bundle, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("no bundle: %w", err)
	}
	b := &Bundle{ctx: ctx, file: f, members: map[string]*zip.File{}, order: archive.File}
	var names []string
	packed, unpacked, size := uint64(0), uint64(0), uint64(info.Size()) //nolint:gosec // G115: a file's size is not negative
	for _, m := range archive.File {
		names, b.members[m.Name] = append(names, m.Name), m
		if strings.HasPrefix(m.Name, "records/") {
			b.records++
		}
		if m.Flags&1 != 0 || m.Method != zip.Store && m.Method != zip.Deflate {
			return nil, fmt.Errorf("%q is encrypted, or packed in a way that bundles do not use", m.Name)
		}
		if m.CompressedSize64 > size || m.UncompressedSize64 > slack+maxRatio*size { // before the sums can overflow
			return nil, fmt.Errorf("%q unpacks to more than a bundle does", m.Name)
		}
		packed, unpacked = packed+m.CompressedSize64, unpacked+m.UncompressedSize64
	}
	switch {
	case !slices.Equal(names, members(b.records)):
		return nil, errors.New("the zip does not hold the members of a bundle, each once and in order")
	case packed > size || unpacked > slack+maxRatio*size || b.members[memberManifest].UncompressedSize64 > maxManifest:
		return nil, errors.New("it unpacks to more than a bundle does")
	}
	return b, nil
}

// Close closes the file.
func (b *Bundle) Close() error { return b.file.Close() }

// broken says what is wrong with the bundle as a whole.
func broken(format string, args ...any) error {
	return &audit.LedgerBroken{Place: -1, What: fmt.Sprintf(format, args...)}
}

// manifest reads the manifest and holds size and hash of every member to it.
func (b *Bundle) manifest() (m Manifest, err error) {
	raw, err := b.read(memberManifest)
	if err != nil {
		return m, err
	}
	var said struct{ Format *string } // another format has another manifest
	if err := json.Unmarshal(raw, &said); err == nil && said.Format != nil && *said.Format != Format {
		return m, stead.Errorf(stead.CodeLedgerUnusable, "the bundle is of format %q; this program reads %s", *said.Format, Format)
	}
	if err := decode(raw, &m, true); err != nil {
		return m, broken("the manifest: %v", err)
	}
	if len(m.Members) != len(b.order)-1 {
		return m, broken("the manifest does not list the members")
	}
	for i, said := range m.Members {
		if said.Name != b.order[i].Name {
			return m, broken("the manifest lists %s where %s stands", said.Name, b.order[i].Name)
		}
		sum := sha256.New()
		n, err := b.copy(sum, said.Name)
		if err != nil {
			return m, err
		}
		if n != said.Size || hex.EncodeToString(sum.Sum(nil)) != said.SHA256 {
			return m, broken("%s is not what the manifest says", said.Name)
		}
	}
	return m, nil
}

func (b *Bundle) copy(to io.Writer, name string) (int64, error) {
	r, err := b.member(name)
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }()
	n, err := io.Copy(to, r) // archive/zip stops at the size that Open has looked at
	if err != nil {
		return n, b.failed(name, err)
	}
	return n, nil
}

// failed tells a member that cannot be unpacked from somebody who does not want to wait.
func (b *Bundle) failed(name string, err error) error {
	if b.ctx.Err() != nil {
		return b.ctx.Err()
	}
	return broken("%s cannot be read: %v", name, err)
}

// member opens a member; reading it ends with the context.
func (b *Bundle) member(name string) (io.ReadCloser, error) {
	r, err := b.members[name].Open()
	if err != nil {
		return nil, b.failed(name, err)
	}
	return patient{r, b.ctx}, nil
}

// patient reads as long as its context lasts.
type patient struct {
	io.ReadCloser
	ctx context.Context
}

func (p patient) Read(into []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.ReadCloser.Read(into)
}

// read reads a small member.
func (b *Bundle) read(name string) ([]byte, error) {
	var data bytes.Buffer
	_, err := b.copy(&data, name)
	return data.Bytes(), err
}

// entries yields the entries of a member.
func (b *Bundle) entries(name string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		m, err := b.member(name)
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = m.Close() }()
		r := bufio.NewReaderSize(m, 1<<16)
		var length [2]byte
		for {
			_, err := io.ReadFull(r, length[:])
			if errors.Is(err, io.EOF) {
				return
			}
			entry := make([]byte, binary.BigEndian.Uint16(length[:]))
			if err == nil {
				_, err = io.ReadFull(r, entry)
			}
			if err != nil {
				yield(nil, b.failed(name, err))
				return
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// lines yields the lines of a view.
func lines[T any](b *Bundle, name string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		m, err := b.member(name)
		if err != nil {
			yield(none, err)
			return
		}
		defer func() { _ = m.Close() }()
		r := bufio.NewReaderSize(m, 1<<16)
		var raw []byte
		for n := 1; ; n++ {
			raw, err = readLine(r, raw[:0])
			if errors.Is(err, io.EOF) && len(raw) == 0 {
				return
			}
			var line T
			if err == nil {
				err = decode(raw, &line, false)
			}
			if err != nil {
				yield(none, b.failed(fmt.Sprintf("%s, line %d,", name, n), err))
				return
			}
			if !yield(line, nil) {
				return
			}
		}
	}
}

// readLine appends the next line to the buffer, its line feed included. io.EOF with a line means that it has none.
func readLine(r *bufio.Reader, into []byte) ([]byte, error) {
	for {
		part, err := r.ReadSlice('\n')
		into = append(into, part...)
		if len(into) > maxLine+1 {
			return into, errors.New("it is too long")
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return into, err
		}
	}
}
