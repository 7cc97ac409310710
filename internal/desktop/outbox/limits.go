package outbox

import (
	"fmt"
	"path/filepath"

	"stead/internal/audit"
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

// admit returns why an entry of that kind is not taken now, nil as a rule: a session may only be started while
// nothing speaks against the log and there is room for what follows.
func (o *Outbox) admit(kind audit.Kind) error {
	if kind != audit.SessionIntent {
		return nil
	}
	o.mu.RLock()
	f := o.file
	var code stead.Code
	var why *finding
	var held uint64
	if f != nil {
		code, why = f.proof.accuse()
		held = f.head.Seq - f.receipted.Seq
	}
	o.mu.RUnlock()
	switch free, err := o.free(); {
	case why != nil:
		return stead.E(code, fmt.Errorf("since %s: %s", why.since(), why.What))
	case held >= MaxHeld:
		return stead.Errorf(stead.CodeOutboxFull, "%d records", held)
	case err == nil && free < fullDisk: // what cannot be asked is not known to be full
		return stead.Errorf(stead.CodeOutboxFull, "%d MiB free", free>>20)
	}
	return nil
}

// free is how many bytes the file's disk has for this user.
func (o *Outbox) free() (uint64, error) { return o.freeOn(filepath.Dir(o.path)) }
