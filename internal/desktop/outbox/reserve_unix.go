//go:build unix

package outbox

import (
	"errors"
	"syscall"
)

func overQuota(err error) bool { return errors.Is(err, syscall.EDQUOT) }
