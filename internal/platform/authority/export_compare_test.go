package authority

import "context"

// Compare compares the sessions that are due.
func (a *Authority) Compare(ctx context.Context) error { return a.compare(ctx) }
