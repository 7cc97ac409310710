package bundle

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"stead/internal/audit"
)

// Writer writes a bundle, member by member, in the order of the format. It keeps nothing but the manifest. The same
// contents make the same bytes. It is not safe for concurrent use.
type Writer struct {
	zip     *zip.Writer
	out     io.Writer // of the member that is being written
	sum     hash.Hash
	written int64
	done    []Member
	records int // members of records begun
	inLast  int // records in the newest of them
}

// NewWriter returns a writer of a bundle into w, which holds the readers' documents already.
func NewWriter(w io.Writer) (*Writer, error) {
	b := &Writer{zip: zip.NewWriter(w)}
	papers := audit.Papers()
	papers["README.txt"] = []byte(readme)
	for _, name := range members(0)[:documents] {
		if err := b.whole(name, papers[name]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// begin begins the next member. Its time is fixed, so that the same contents make the same file.
func (b *Writer) begin(name string) error {
	b.end()
	out, err := b.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: zipEpoch()})
	if err != nil {
		return err
	}
	b.out, b.sum, b.written = out, sha256.New(), 0
	b.done = append(b.done, Member{Name: name})
	return nil
}

// zipEpoch is where the zip format's time begins.
func zipEpoch() time.Time { return time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC) }

func (b *Writer) end() {
	if b.out != nil {
		last := &b.done[len(b.done)-1]
		last.Size, last.SHA256 = b.written, hex.EncodeToString(b.sum.Sum(nil))
		b.out = nil
	}
}

// Write adds to the member that was begun last.
func (b *Writer) Write(p []byte) (int, error) {
	if b.out == nil {
		return 0, errors.New("bundle: no member was begun")
	}
	b.sum.Write(p)
	b.written += int64(len(p))
	return b.out.Write(p)
}

func (b *Writer) whole(name string, data []byte) error {
	if err := b.begin(name); err != nil {
		return err
	}
	_, err := b.Write(data)
	return err
}

// Log writes the newest checkpoint and the verifier keys, one a line, and begins the checkpoints: Entry adds each, the
// smallest first. Behind them lie the statements.
func (b *Writer) Log(newest, keys []byte, statements [][]byte, checkpoints func() error) error {
	if err := b.whole(memberCheckpoint, newest); err != nil {
		return err
	}
	if err := b.begin(memberCheckpoints); err != nil {
		return err
	}
	if err := checkpoints(); err != nil {
		return err
	}
	if err := b.begin(memberStatements); err != nil {
		return err
	}
	for _, s := range statements {
		if err := b.Entry(s); err != nil {
			return err
		}
	}
	return b.whole(memberKeys, keys)
}

// Entry adds a signed note or an envelope to the member that was begun.
func (b *Writer) Entry(e []byte) error {
	if len(e) > audit.MaxEnvelope {
		return fmt.Errorf("bundle: an entry of %d bytes", len(e))
	}
	if _, err := b.Write(binary.BigEndian.AppendUint16(nil, uint16(len(e)))); err != nil { //nolint:gosec // G115: looked at above
		return err
	}
	_, err := b.Write(e)
	return err
}

// Record adds the record of the next position.
func (b *Writer) Record(envelope []byte) error {
	if b.records == 0 || b.inLast == RecordsPerMember {
		if err := b.begin(memberRecords(b.records)); err != nil {
			return err
		}
		b.records, b.inLast = b.records+1, 0
	}
	b.inLast++
	return b.Entry(envelope)
}

// Pending begins the records that are not in the log yet: Entry adds each.
func (b *Writer) Pending() error { return b.begin(memberPending) }

// View begins the member in which lines of this type lie: Line adds each. The views come in the order Head,
// SignedHead, Quarantined, Doubt, Device, Person, Texts, Session, Notice.
func (b *Writer) View(of any) error {
	switch of.(type) {
	case Head:
		return b.begin(memberHeads)
	case SignedHead:
		return b.begin(memberSigned)
	case Quarantined:
		return b.begin(memberQuarantined)
	case Doubt:
		return b.begin(memberDoubts)
	case Device:
		return b.begin(memberDevices)
	case Person:
		return b.begin(memberStaff)
	case Texts:
		return b.begin(memberTexts)
	case Session:
		return b.begin(memberSessions)
	case Notice:
		return b.begin(memberNotices)
	}
	return fmt.Errorf("bundle: no view of %T", of)
}

// Line adds a line to the view that was begun.
func (b *Writer) Line(v any) error {
	line, err := encode(v, false)
	if err == nil {
		_, err = b.Write(line)
	}
	return err
}

// Finish writes the manifest, in which it fills in format and members, and the end of the file. It fails when a member
// is missing or out of order.
func (b *Writer) Finish(m Manifest) error {
	b.end()
	m.Format, m.Members = Format, slices.Clone(b.done)
	var names []string
	for _, d := range m.Members {
		names = append(names, d.Name)
	}
	if !slices.Equal(append(names, memberManifest), members(b.records)) {
		return fmt.Errorf("bundle: the members were written in another order than the format's: %v", names)
	}
	text, err := encode(m, true)
	if err != nil {
		return err
	}
	if err := b.whole(memberManifest, text); err != nil {
		return err
	}
	return b.zip.Close()
}
