// Package outbox keeps the records of this machine until the platform's log is proven to hold them: appended durably,
// chained and signed, sealed at rest, sent in order, forgotten only against a receipt.
//
// Two marks stand in the chain. What the platform acknowledged is not sent again; what its Merkle log is proven to
// hold, under a checkpoint that extends all the ones seen before, is deleted. A log that contradicts what it showed
// stops every start of a session until it agrees again or two people have declared why.
//
// It is one bbolt file with one writer. The committer goroutine alone knows the next sequence; it groups whatever
// waits, seals, signs one head and commits once, and only then answers. After any failed commit it trusts nothing it
// remembers and reads the file again, because a failed flush may have written the record all the same.
package outbox

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"sync"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"
)

// Sealer encrypts with a key that this package never sees. Open fails on anything that Seal did not return with the
// same aad.
type Sealer interface {
	Seal(plain, aad []byte) []byte
	Open(sealed, aad []byte) ([]byte, error)
}

// Config is what an outbox needs to write records.
type Config struct {
	Device stead.DeviceID
	Signer crypto.Signer // the device key, Ed25519
	KeyID  [8]byte       // audit.KeyID of that key
	Sealer Sealer        // seals the file's data key
	// PlatformKey is the public key of the platform (audit.NewOutboxKey), for which the data key is sealed too; none when
	// empty. Then nobody can read the file when the keyring is lost.
	PlatformKey []byte
	Trust       Trust // whose word counts about the platform's log; zero where there are no receipts
	Now         func() time.Time
	BootID      [16]byte // names this opening in records; drawn when zero
}

// Outbox is an open outbox. All methods are safe for concurrent use. One process at a time can have a file open.
type Outbox struct {
	cfg    Config
	pins   *pins // nil for a zero Trust
	path   string
	began  time.Time                           // for monotonic time
	freeOn func(folder string) (uint64, error) // bytes free on a disk

	life    context.Context // ends when Close begins
	end     context.CancelFunc
	owned   sync.WaitGroup // the committer and every Run
	ended   chan struct{}  // closed when the committer is gone
	appends chan *request  // buffered, so that a caller is woken once only
	changes chan *change
	wake    chan struct{} // there is something to send
	kick    chan struct{} // somebody wants it sent now
	doubt   chan struct{} // there is something to prove
	recheck chan struct{} // somebody wants it proven now

	draining chan struct{} // holds one token; who has it may drain
	contact  contact       // of the last drain; whose has the token
	provers  chan struct{} // holds one token; who has it may prove

	mu       sync.RWMutex
	file     *file         // nil while it could not be reopened after a failed commit
	broken   error         // why the outbox refuses everything, for good
	advanced chan struct{} // closed and replaced whenever records were acknowledged
	offset   *int64        // the platform's clock minus ours, milliseconds
	last     stead.Code    // of the last drain
	unproven stead.Code    // of the last try for receipts
	nextTry  time.Time
	closed   bool
}

var errClosed = errors.New("the outbox is closed")

// Open opens the outbox at path and creates it when there is none. Before it returns, every pending record has been
// decrypted and found in its place in the chain, and the file's structure was checked; that takes 2 to 3 µs a
// record.
//
// Errors: CodeAlreadyRunning when another process has it open, CodeDataReadOnly when the folder or file cannot be
// written, CodeDataNewer for a newer format, CodeOutboxDamaged when anything is not as it was written or not of this
// device and key. A file that is refused is left as it is.
func Open(ctx context.Context, path string, cfg Config) (*Outbox, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	pinned, err := cfg.Trust.read()
	if err != nil {
		return nil, err
	}
	f, err := openFile(ctx, path, cfg)
	if err != nil {
		return nil, err
	}
	o := &Outbox{cfg: cfg, pins: pinned, path: path, began: time.Now(), freeOn: freeOn, file: f,
		ended: make(chan struct{}), appends: make(chan *request, groupRecords), changes: make(chan *change),
		wake: make(chan struct{}, 1), kick: make(chan struct{}, 1), doubt: make(chan struct{}, 1), recheck: make(chan struct{}, 1),
		draining: make(chan struct{}, 1), provers: make(chan struct{}, 1), advanced: make(chan struct{})}
	o.draining <- struct{}{}
	o.provers <- struct{}{}
	o.life, o.end = context.WithCancel(context.Background())
	o.owned.Add(1)
	go o.committer()
	return o, nil
}

// Close ends every Run, waits for the commit that is under way and closes the file. What was appended stays; calls
// after it fail.
func (o *Outbox) Close() error {
	o.mu.Lock()
	o.closed = true // from here on no Run begins
	o.mu.Unlock()
	o.end()
	o.owned.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.file
	o.file = nil
	if f == nil {
		return nil
	}
	return f.close()
}

// State is what a window shows of an outbox.
type State struct {
	Pending      uint64    // records the platform has not acknowledged
	Oldest       time.Time // when the oldest of them was written; zero when there is none
	Head         uint64    // sequence of the last record, 0 for none
	Acknowledged uint64    // sequence of the last one the platform acknowledged
	Receipted    uint64    // sequence of the last one that is proven to be in the log
	Unreceipted  uint64    // records that are acknowledged and not proven
	Quarantined  uint64    // records that the platform ever refused for what they are; see Quarantine
	LastError    stead.Code
	ReceiptError stead.Code
	NextTry      time.Time  // when Run tries to send again after an error; zero when it is not waiting for that
	Withheld     time.Time  // since when the log answers without records that the platform acknowledged; zero for less than a minute
	Blocked      stead.Code // why session intents are refused, CodeLogForked, CodeChainFork or CodeLogWithheld; empty as a rule
	BlockedSince time.Time
	Alarm        bool // AlarmHeld records or more are still here
	LowDisk      bool // less than 256 MiB are free on the disk
	Broken       stead.Code
	Salvaged     int  // records saved from a damaged outbox that are still to be sent, under their old epoch
	Recovering   bool // begun after a damaged or lost one, and the platform has not acknowledged that: no start is recorded
}

// State returns the present state. LastError is the code of the last drain, ReceiptError that of the last try for
// receipts, both empty when it succeeded; Broken is the reason why nothing can be appended any more, empty as a rule.
func (o *Outbox) State() State {
	free, err := o.free()
	o.mu.RLock()
	defer o.mu.RUnlock()
	s := State{LastError: o.last, ReceiptError: o.unproven, NextTry: o.nextTry, Broken: stead.CodeOf(o.broken), LowDisk: err == nil && free < lowDisk}
	f := o.file
	if f == nil {
		return s
	}
	s.Head, s.Acknowledged, s.Receipted, s.Quarantined = f.head.Seq, f.acked.Seq, f.receipted.Seq, f.quarantine
	s.Pending, s.Unreceipted = s.Head-s.Acknowledged, s.Acknowledged-s.Receipted
	s.Alarm = s.Head-s.Receipted >= AlarmHeld
	if s.Pending > 0 {
		s.Oldest = time.UnixMilli(f.oldest)
	}
	s.Salvaged, s.Recovering = f.salvaged, f.recovering()
	if code, why := f.proof.accuse(); why != nil {
		s.Blocked, s.BlockedSince = code, why.since()
	}
	if lacks := f.lacks(); lacks.lasted() >= withheldTold {
		s.Withheld = time.UnixMilli(lacks.MS)
		if s.Blocked == "" && lacks.lasted() >= withheldBlocks {
			s.Blocked, s.BlockedSince = stead.CodeLogWithheld, s.Withheld
		}
	}
	return s
}

// Head is where the chain ends now and the device's signature over it; no signature while the file is not open.
func (o *Outbox) Head() (head audit.Head, sig []byte) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.file == nil {
		return audit.Head{}, nil
	}
	return o.file.head, o.file.sig
}

// ObserveServerTime tells the outbox what the platform's clock says now. Records written from here on carry the
// difference to this machine's clock, as evidence for who reads them.
func (o *Outbox) ObserveServerTime(t time.Time) {
	ms := t.Sub(o.cfg.Now()).Milliseconds()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.offset = &ms
}

// current returns the open file, or why there is none. The caller holds mu.
func (o *Outbox) current() (*file, error) {
	switch {
	case o.broken != nil:
		return nil, o.broken
	case o.file == nil && o.closed:
		return nil, stead.E(stead.CodeOutboxWrite, errClosed)
	case o.file == nil:
		return nil, stead.E(stead.CodeOutboxWrite, errors.New("the file is not open"))
	}
	return o.file, nil
}

// damaged wraps what is wrong with a file.
func damaged(format string, args ...any) error {
	return stead.E(stead.CodeOutboxDamaged, fmt.Errorf(format, args...))
}
