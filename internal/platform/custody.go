package platform

import (
	"slices"

	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
)

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
