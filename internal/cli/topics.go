package cli

import "stead/internal/desktop/browser"

// topics are the sheets that "stead help TOPIC" prints beside the help of commands. Like checks they are supplied by
// the packages they are about.
var topics = map[string]func() string{
	"browsers": browser.Sheet,
}
