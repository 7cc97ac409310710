// Package stead holds the nouns of the product, the rules of a session and the closed list of error codes.
//
// It imports nothing of ours and does no I/O: desktop and platform both stand on it, so a rule or a word written
// here is the same on both sides. The platform decides; the desktop uses the same functions to explain in advance.
package stead
