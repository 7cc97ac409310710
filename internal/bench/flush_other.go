//go:build !linux

package main

import "os"

// flush makes what was written to the file durable.
func flush(f *os.File) error { return f.Sync() }

// forget would drop the file from the system's cache; here it cannot.
func forget(string) bool { return false }
