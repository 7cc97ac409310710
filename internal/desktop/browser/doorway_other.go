//go:build !linux

package browser

// samePerson cannot be known here without more rights: whoever comes first is believed, and whoever comes second refused.
func samePerson(string, string) bool { return true }
