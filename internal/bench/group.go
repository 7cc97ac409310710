package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// group is the floor of a durable append: one goroutine writes what waits to the end of a file and flushes once.
type group struct {
	file   *os.File
	waits  chan chan error
	writer sync.WaitGroup
}

func openGroup(path string) (*group, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	g := &group{file: f, waits: make(chan chan error)}
	g.writer.Go(g.write)
	return g, nil
}

func (g *group) write() {
	record := make([]byte, recordSize)
	for first := range g.waits {
		for range 3 { // the callers that were just answered come back, as in the outbox
			runtime.Gosched()
		}
		waiting := []chan error{first}
		for more := true; more; {
			select {
			case next, ok := <-g.waits:
				if more = ok; ok {
					waiting = append(waiting, next)
				}
			default:
				more = false
			}
		}
		_, err := g.file.Write(bytes.Repeat(record, len(waiting)))
		err = errors.Join(err, flush(g.file))
		for _, w := range waiting {
			w <- err
		}
	}
}

func (g *group) put() error {
	answer := make(chan error, 1)
	g.waits <- answer
	return <-answer
}

func (g *group) close() error {
	close(g.waits)
	g.writer.Wait()
	return g.file.Close()
}

// buildPeer builds the program of the folder otel, a module of its own, and returns what runs it. It returns nil when
// other people's programs are not asked for.
func buildPeer(ctx context.Context, b bench) (func() (float64, error), error) {
	if !b.size.peers {
		return nil, nil
	}
	program := filepath.Join(b.folder, "otel")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	build.Dir = filepath.Join("internal", "bench", "otel") // the bench runs in the repository's root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, errors.Join(err, errors.New(strings.TrimSpace(string(out))))
	}
	round := 0
	return func() (float64, error) {
		round++
		run := exec.CommandContext(ctx, program, filepath.Join(b.folder, "otel-"+strconv.Itoa(round)), strconv.Itoa(callers), strconv.FormatFloat(b.size.seconds, 'f', -1, 64))
		run.Stderr = b.progress
		out, err := run.Output()
		if err != nil {
			return 0, err
		}
		return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	}, nil
}
