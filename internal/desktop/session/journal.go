package session

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/google/uuid"

	"stead/internal/stead"
)

// entry is what the journal says of a session that has begun on this machine and is not concluded. It holds ids
// only: no name, no credential.
type entry struct {
	Intent  uuid.UUID       `json:"intent"`
	Agent   stead.StaffID   `json:"agent"`   // whose session it is; nobody else may end it
	Subject string          `json:"subject"` // pseudonym
	Session stead.SessionID `json:"session,omitempty"`
}

// journal is the file of unfinished sessions. An entry is in it from before its intent is recorded until its outcome
// is, and no entry ever touches another. It is safe for concurrent use.
type journal struct {
	path string
	mu   sync.Mutex // covers reading, changing and writing the file as one
}

// put adds the entry, or replaces what was known of the same intent.
func (j *journal) put(e entry) error {
	return j.edit(func(all []entry) []entry {
		if i := slices.IndexFunc(all, func(o entry) bool { return o.Intent == e.Intent }); i >= 0 {
			all[i] = e
			return all
		}
		return append(all, e)
	})
}

// remove takes the entry of a concluded session out.
func (j *journal) remove(intent uuid.UUID) error {
	return j.edit(func(all []entry) []entry {
		return slices.DeleteFunc(all, func(e entry) bool { return e.Intent == intent })
	})
}

// unfinished lists the entries, oldest first.
func (j *journal) unfinished() ([]entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.read()
}

// edit replaces the file durably. A file that cannot be read is left as it is.
func (j *journal) edit(f func([]entry) []entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	all, err := j.read()
	if err != nil {
		return err
	}
	data, err := json.Marshal(f(all))
	if err != nil {
		return err
	}
	return WriteDurably(j.path, data)
}

func (j *journal) read() ([]entry, error) {
	data, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []entry
	return all, json.Unmarshal(data, &all)
}
