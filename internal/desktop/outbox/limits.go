package outbox

import (
	"fmt"
	"path/filepath"
	"time"

	"stead/internal/stead"
)

// How much an outbox may come to hold. What is refused beyond it are session intents only, so that there is room for
// what has to be told of sessions that run.
const (
	AlarmHeld = 100_000   // records held at which State.Alarm is set
	MaxHeld   = 1_000_000 // records held at which no session may be started

	lowDisk  = 256 << 20 // bytes free under which State.LowDisk is set
	fullDisk = 64 << 20  // bytes free under which no session may be started
)

// MayStart returns why no session may be started from this machine now, nil as a rule: a session intent is only taken
// while the platform knows of an outbox that was set up anew, nothing speaks against the log, and there is room for what
// follows, and the log has what was acknowledged twenty minutes ago. Codes: CodeOutboxRecovered, CodeLogForked,
// CodeLogWithheld, CodeChainFork, CodeOutboxFull.
func (o *Outbox) MayStart() error {
	if err := o.accountable(); err != nil {
		return err
	}
	if free, err := o.free(); err == nil && free < fullDisk { // what cannot be asked is not known to be full
		return stead.Errorf(stead.CodeOutboxFull, "%d MiB free", free>>20)
	}
	return nil
}

// accountable is MayStart but for the disk.
func (o *Outbox) accountable() error {
	o.mu.RLock()
	defer o.mu.RUnlock()
	f := o.file
	if f == nil {
		return nil // Append says why
	}
	if f.recovering() {
		return stead.E(stead.CodeOutboxRecovered, nil)
	}
	if code, why := f.proof.accuse(); why != nil {
		return stead.E(code, fmt.Errorf("since %s: %s", why.since(), why.What))
	}
	if lacks := f.lacks(); lacks.lasted() >= withheldBlocks {
		return stead.E(stead.CodeLogWithheld, fmt.Errorf("since %s", time.UnixMilli(lacks.MS)))
	}
	if held := f.head.Seq - f.receipted.Seq; held >= MaxHeld {
		return stead.Errorf(stead.CodeOutboxFull, "%d records", held)
	}
	return o.mayFill()
}

// free is how many bytes the file's disk has for this user.
func (o *Outbox) free() (uint64, error) { return o.freeOn(filepath.Dir(o.path)) }
