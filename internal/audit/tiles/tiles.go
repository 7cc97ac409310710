// Package tiles reads a log over HTTP as c2sp.org/tlog-tiles describes it: the checkpoint and the hashes, which anybody
// may read, and the records, which take a token. What it reads is not trusted before audit.VerifyLedger or Verify
// returned.
package tiles

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"stead/internal/audit"
	"stead/internal/stead"
)

// Log is a log at an address, as it was when it was opened. It implements audit.LedgerSource; what it yields are the
// records up to the checkpoint of that moment, and no heads of devices, which are not served.
type Log struct {
	ctx        context.Context // of Open; it ends what is being read
	base       string
	token      stead.Secret
	http       *http.Client
	patience   time.Duration // before the second try; each later wait is longer
	note       []byte
	checkpoint audit.Checkpoint
}

var _ audit.LedgerSource = (*Log)(nil)

const (
	width         = 1 << audit.TileHeight
	maxSmall      = 1 << 20
	tries         = 6
	patience      = 400 * time.Millisecond
	maxStatements = 16 << 20
	maxTile       = width * (2 + audit.MaxEnvelope)
)

// Open fetches the newest checkpoint. The token may be empty; without one Records fails. Errors:
// stead.CodeLedgerUnusable for an address where there is no log, or to which no token may be sent.
func Open(ctx context.Context, address string, token stead.Secret, client *http.Client) (*Log, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, stead.Errorf(stead.CodeLedgerUnusable, "%q is no address of a platform", address)
	}
	if token != "" && !stead.StaysPrivate(address) {
		return nil, stead.Errorf(stead.CodeLedgerUnusable, "a token is sent to https addresses only")
	}
	l := &Log{ctx: ctx, base: strings.TrimRight(address, "/"), token: token, http: client, patience: patience}
	if l.note, err = l.fetch("/log/checkpoint", false, maxSmall); err != nil {
		return nil, l.unusable(err)
	}
	if l.checkpoint, err = audit.ParseCheckpoint(l.note); err != nil {
		return nil, l.unusable(err)
	}
	return l, nil
}

func (l *Log) unusable(err error) error {
	return stead.Errorf(stead.CodeLedgerUnusable, "%s: %v", l.base, err).Because(err)
}

// Keys lists the verifier keys that the platform itself names.
func (l *Log) Keys() ([]string, error) {
	raw, err := l.fetch("/v1/log/trust", false, maxSmall)
	if err != nil {
		return nil, l.unusable(err)
	}
	var trust struct {
		Keys []string `json:"log_keys"`
	}
	if err := json.Unmarshal(raw, &trust); err != nil {
		return nil, l.unusable(err)
	}
	return trust.Keys, nil
}

// Statements implements audit.StatementSource: what is said of the log beyond the checkpoint may be among them.
func (l *Log) Statements() (audit.Statements, error) {
	s := audit.Statements{Growing: true}
	raw, err := l.fetch("/v1/log/statements", false, maxStatements)
	if errors.Is(err, errMissing) {
		return s, nil // c2sp.org/tlog-tiles asks for none
	}
	if err != nil {
		return s, l.unusable(err)
	}
	var list struct {
		Statements []string `json:"statements"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return s, l.unusable(err)
	}
	for _, n := range list.Statements {
		s.Notes = append(s.Notes, []byte(n))
	}
	return s, nil
}

// errMissing means that there is nothing at an address.
var errMissing = errors.New("not found")

// fetch reads an answer of at most that many bytes. What may be over in a moment (a connection that broke, no answer in
// time, too many requests, a failure there) is tried a few times more, each after a longer wait.
func (l *Log) fetch(path string, authorize bool, most int64) ([]byte, error) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = l.patience
	return backoff.Retry(l.ctx, func() ([]byte, error) { return l.ask(path, authorize, most) }, backoff.WithBackOff(wait), backoff.WithMaxTries(tries))
}

// ask is one try of fetch.
func (l *Log) ask(path string, authorize bool, most int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(l.ctx, http.MethodGet, l.base+path, nil)
	if err != nil {
		return nil, err
	}
	if authorize {
		req.Header.Set("Authorization", "Bearer "+string(l.token))
	}
	res, err := l.http.Do(req)
	if err != nil {
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" && !dial.Timeout() {
			err = backoff.Permanent(err)
		}
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	switch {
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= http.StatusInternalServerError:
		return nil, fmt.Errorf("%s: %s", path, res.Status)
	case res.StatusCode == http.StatusNotFound:
		return nil, backoff.Permanent(fmt.Errorf("%s: %w", path, errMissing))
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		return nil, backoff.Permanent(fmt.Errorf("%s: the token is not that of somebody who may read the trail (%s)", path, res.Status))
	case res.StatusCode != http.StatusOK:
		return nil, backoff.Permanent(fmt.Errorf("%s: %s", path, res.Status))
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err == nil && int64(len(body)) > most {
		err = backoff.Permanent(fmt.Errorf("%s: the answer is too large", path))
	}
	return body, err
}

// tile reads one tile of level 0 or of the entries, of n items. One that has grown full meanwhile may be there in full
// only; it begins with the same items.
func (l *Log) tile(level string, index int64, n int) ([]byte, error) {
	path := "/log/tile/" + level + "/" + indexPath(index)
	most, authorize := int64(width*32), false
	if level == "entries" {
		most, authorize = maxTile, true
	}
	if n == width {
		return l.fetch(path, authorize, most)
	}
	data, err := l.fetch(fmt.Sprintf("%s.p/%d", path, n), authorize, most)
	if errors.Is(err, errMissing) {
		data, err = l.fetch(path, authorize, most)
	}
	return data, err
}

// indexPath is a tile's index in groups of three digits, all but the last with an x before them.
func indexPath(n int64) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	return path
}

// each calls do for every tile that the checkpoint covers, with how many items count.
func (l *Log) each(do func(index int64, n int) bool) {
	for index, left := int64(0), l.checkpoint.Size; left > 0; index, left = index+1, left-width {
		if !do(index, int(min(left, width))) {
			return
		}
	}
}

// leaves yields the hashes of the leaves.
func (l *Log) leaves() iter.Seq2[[32]byte, error] {
	return func(yield func([32]byte, error) bool) {
		l.each(func(index int64, n int) bool {
			data, err := l.tile("0", index, n)
			if err == nil && len(data) < n*32 {
				err = fmt.Errorf("tile %d of level 0 has %d bytes", index, len(data))
			}
			if err != nil {
				return yield([32]byte{}, l.unusable(err)) && false
			}
			for i := range n {
				if !yield([32]byte(data[i*32:]), nil) {
					return false
				}
			}
			return true
		})
	}
}

// Hashes implements audit.LedgerSource: the leaves as they are served, and what they complete.
func (l *Log) Hashes() iter.Seq2[audit.StoredHash, error] {
	return func(yield func(audit.StoredHash, error) bool) {
		var tree audit.Tree
		at := int64(0)
		for leaf, err := range l.leaves() {
			if err != nil {
				yield(audit.StoredHash{}, err)
				return
			}
			for _, h := range tree.Add(leaf) {
				if !yield(audit.StoredHash{At: at, Hash: h}, nil) {
					return
				}
				at++
			}
		}
	}
}

// Records implements audit.LedgerSource. The columns are the record's own: nothing is repeated.
func (l *Log) Records() iter.Seq2[audit.LedgerRow, error] {
	return func(yield func(audit.LedgerRow, error) bool) {
		l.each(func(index int64, n int) bool {
			data, err := l.tile("entries", index, n)
			if err != nil {
				return yield(audit.LedgerRow{}, l.unusable(err)) && false
			}
			for i := range n {
				position := index*width + int64(i)
				if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
					err := &audit.LedgerBroken{Place: position, What: "is not among the entries that are served"}
					return yield(audit.LedgerRow{}, err) && false
				}
				end := 2 + int(binary.BigEndian.Uint16(data))
				if !yield(audit.RowOf(position, position+1, data[2:end]), nil) {
					return false
				}
				data = data[end:]
			}
			return true
		})
	}
}

// Checkpoints implements audit.LedgerSource: only the newest one is served.
func (l *Log) Checkpoints() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) { yield(l.note, nil) }
}

// Heads implements audit.LedgerSource: none are served.
func (l *Log) Heads() ([]audit.Head, error) { return nil, nil }

// VerifyTree proves without reading a record that the hashes which are served make the checkpoint's root, that one of
// the keys signed it, and that the log begins with all of the trusted one. What the records are, it does not say. The
// error is a *audit.LedgerBroken when the log is to blame.
func (l *Log) VerifyTree(check audit.LedgerCheck) (audit.LedgerProof, error) {
	proof := audit.LedgerProof{Checkpoint: l.checkpoint, Signed: l.note, Checkpoints: 1}
	broken := func(format string, args ...any) (audit.LedgerProof, error) {
		return proof, &audit.LedgerBroken{Place: -1, What: fmt.Sprintf(format, args...)}
	}
	if _, err := check.Keys.OpenNewest(l.note); err != nil {
		return broken("the newest checkpoint: %v", err)
	}
	var tree audit.Tree
	rewritten := func() bool {
		return check.Trusted != nil && check.Trusted.Size == tree.Size() && check.Trusted.Root != tree.Root()
	}
	bad := rewritten()
	for leaf, err := range l.leaves() {
		if err != nil {
			return proof, err
		}
		tree.Add(leaf)
		bad = bad || rewritten()
		if check.Progress != nil && tree.Size()%4096 == 0 {
			check.Progress(tree.Size())
		}
	}
	switch {
	case tree.Root() != l.checkpoint.Root:
		return broken("the hashes that are served do not make the root of the checkpoint of %d records", l.checkpoint.Size)
	case bad:
		return broken("the first %d records are not those of the trusted checkpoint: history was rewritten", check.Trusted.Size)
	case check.Trusted != nil && check.Trusted.Size > l.checkpoint.Size:
		return broken("the trusted checkpoint counts %d records, and the log has %d: it was rolled back or cut", check.Trusted.Size, l.checkpoint.Size)
	}
	return proof, nil
}
