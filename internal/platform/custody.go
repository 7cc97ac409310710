package platform

import (
	"os"
	"slices"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/publish"
	"stead/internal/platform/store"
)

// Copy is a place outside that gets each checkpoint: one of the two.
type Copy struct {
	Folder string // must be there when the platform opens
	URL    string // gets each with PUT
	Read   string // where what was put is read back; URL when empty
}

// publisher brings checkpoints to where the configuration says.
func (c Config) publisher(st store.Store) (*publish.Publisher, error) {
	people, err := c.people()
	if err != nil {
		return nil, err
	}
	to := publish.Config{Witness: c.Witness, People: people, Log: c.Log}
	for _, place := range c.Copies {
		switch {
		case (place.Folder == "") == (place.URL == "") || place.Folder != "" && place.Read != "":
			return nil, stead.Errorf(stead.CodeConfigInvalid, "copies: each has either a folder, or a url and perhaps where to read it back")
		case place.Folder != "":
			if info, err := os.Stat(place.Folder); err != nil || !info.IsDir() {
				return nil, stead.Errorf(stead.CodeConfigInvalid, "copies: there is no folder %s; mount it or make it (Stead makes none: a copy beside a share that is not mounted would be none)", place.Folder).Because(err)
			}
			to.Folders = append(to.Folders, place.Folder)
		default:
			to.URLs = append(to.URLs, publish.Address{Put: place.URL, Read: place.Read})
		}
	}
	return publish.New(st, to)
}

// people opens the recovery keys of the configuration; none is fine as long as nobody has to sign anything.
func (c Config) people() (audit.RecoveryKeys, error) {
	if len(c.RecoveryKeys) == 0 {
		return audit.RecoveryKeys{}, nil
	}
	people, err := audit.ParseRecoveryKeys(c.RecoveryKeys)
	if err != nil {
		return people, stead.Errorf(stead.CodeConfigInvalid, "recovery_keys: %v", err).Because(err)
	}
	if origin, err := ledger.Origin(c.PublicURL); err == nil && slices.Contains(people.Names(), origin) {
		return people, stead.Errorf(stead.CodeConfigInvalid, "recovery_keys: %s is the name of the log, not a person's", origin)
	}
	return people, nil
}
