package outbox

import (
	"errors"
	"syscall"
)

// ERROR_DISK_FULL is what Windows says in ENOSPC's place.
const diskFull = syscall.Errno(112)

func overQuota(err error) bool { return errors.Is(err, diskFull) }
