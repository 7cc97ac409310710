// Stead is measured here, each figure beside a floor: how fast the outbox, the ledger and their proof are, and how far that
// is from what the machine could do at best. It prints one table and writes a JSON file; see README.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run measures what the arguments ask for. An aim that is missed is in the table and is no error.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "rows to measure, separated by commas; a name also stands for those that begin with it and a dot")
	size := flags.String("size", "small", "small, full, or tiny to see only that everything still runs")
	file := flags.String("out", "build/out/bench.json", "where to write the rows as JSON")
	with := flags.String("with", "", "a JSON file with rows that another user has measured, taken instead of measuring them; may be missing")
	profile := flags.String("profile", "", "write a profile of the processors' time to this file")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s, ok := allSizes()[*size]
	if !ok {
		return fmt.Errorf("bench: there is no size %q", *size)
	}
	chosen, err := choose(figures(), *only)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(*file), 0o750); err != nil {
		return err
	}
	folder, err := os.MkdirTemp(filepath.Dir(*file), "bench-") // on a disk, where the system's folder may be memory
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	ended, err := profileTo(*profile)
	if err != nil {
		return err
	}
	known, err := measuredBefore(*with)
	if err != nil {
		return errors.Join(err, ended())
	}
	rows, err := measureAll(ctx, chosen, known, s, folder, progress)
	if err = errors.Join(err, ended()); err != nil {
		return err
	}
	if err := writeTable(out, rows); err != nil {
		return err
	}
	text, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(*file, append(text, '\n'), 0o600)
}

// profileTo profiles the processors' time until what it returns is called. Without a file it does nothing.
func profileTo(file string) (func() error, error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// measuredBefore reads the rows of a file; there are none without one.
func measuredBefore(file string) (rows []row, err error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &rows)
	}
	return rows, err
}

// measureAll measures what is chosen and not known yet.
func measureAll(ctx context.Context, chosen []figure, known []row, s sizes, folder string, progress io.Writer) ([]row, error) {
	rows := []row{}
	for i, f := range chosen {
		if before := slices.DeleteFunc(slices.Clone(known), func(r row) bool { return r.Name != f.name && !strings.HasPrefix(r.Name, f.name+".") }); len(before) > 0 {
			rows = append(rows, before...)
			continue
		}
		_, _ = fmt.Fprintf(progress, "%s …\n", f.name)
		own := filepath.Join(folder, fmt.Sprint(i))
		if err := os.Mkdir(own, 0o700); err != nil {
			return nil, err
		}
		found, err := f.measure(ctx, bench{size: s, folder: own, progress: progress})
		if err != nil {
			return nil, fmt.Errorf("bench: %s: %w", f.name, err)
		}
		rows = append(rows, found...)
		if err := os.RemoveAll(own); err != nil {
			return nil, err
		}
	}
	return rows, nil
}
