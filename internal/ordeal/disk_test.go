//go:build linux && !race

package ordeal

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// disk is a model of a disk under one folder, fed with the calls of one process. For each file and folder it keeps
// what was flushed, which survives a power cut, and what was only written, of which any part may.
//
// It is harsher than the file systems people have: what was not flushed may survive in any order and by sectors, the
// flush of a file says nothing about its name, and names are kept or lost one by one. Only a rename is whole.
type disk struct {
	root    string
	inodes  []*inode
	handles map[int64]*inode // by number, of what is open below root
}

// inode is a file or a folder.
type inode struct {
	folder  bool
	size    int64
	sectors map[int64]string    // flushed content by sector number; missing ones are zeros
	names   map[string]*inode   // flushed names, of a folder
	pending []*change           // not flushed, in order
	now     map[string]*inode   // names as the running system sees them
	flush   map[*call][]*change // what the flushes under way will have flushed
}

// change is one write, truncation or change of names.
type change struct {
	by    *call
	at    int64
	data  string // of a write
	size  int64  // of a truncation, when at < 0
	names map[string]*inode
}

const sector = 512

func newDisk(root string) *disk {
	d := &disk{root: root, handles: map[int64]*inode{}}
	d.add(true)
	return d
}

func (d *disk) add(folder bool) *inode {
	i := &inode{folder: folder, sectors: map[int64]string{}, names: map[string]*inode{}, now: map[string]*inode{}, flush: map[*call][]*change{}}
	d.inodes = append(d.inodes, i)
	return i
}

// find returns the folder that a path is in, its name there, and what has that name now. The folder is nil for what
// is not below root, or in no folder that we know.
func (d *disk) find(path string) (folder *inode, name string, now *inode) {
	rest, below := strings.CutPrefix(path, d.root)
	if !below {
		return nil, "", nil
	}
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	at := d.inodes[0]
	for _, p := range parts[:len(parts)-1] {
		if at = at.now[p]; at == nil {
			return nil, "", nil
		}
	}
	name = parts[len(parts)-1]
	if name == "" {
		return at, "", at
	}
	return at, name, at.now[name]
}

// play feeds everything that happened before the line: calls that had begun may have had their effect, flushes count
// when they were over.
func (d *disk) play(tape []*call, line int) error {
	type moment struct {
		line int
		c    *call
		end  bool
	}
	var all []moment
	for _, c := range tape {
		if c.began < line {
			all = append(all, moment{c.began, c, false})
		}
		if c.ended < line {
			all = append(all, moment{c.ended, c, true})
		}
	}
	slices.SortStableFunc(all, func(a, b moment) int { return a.line - b.line })
	for _, m := range all {
		step := d.begin
		if m.end {
			step = d.end
		}
		if err := step(m.c); err != nil {
			return fmt.Errorf("line %d: %s: %w", m.line+1, m.c.name, err)
		}
	}
	return nil
}

// begin carries out what a call may have done as soon as it began. A failed call changed nothing.
func (d *disk) begin(c *call) error {
	if c.ended != never && c.result < 0 {
		return nil
	}
	file := d.handles[c.number(0)]
	switch c.name {
	case "close":
		delete(d.handles, c.number(0))
	case "pwrite64":
		if file != nil {
			file.pending = append(file.pending, &change{by: c, at: c.number(3), data: c.args[1]})
		}
	case "ftruncate":
		if file != nil {
			file.pending = append(file.pending, &change{by: c, at: -1, size: c.number(1)})
		}
	case "fallocate": // with mode 0 it only makes a file longer, if anything
		if file != nil {
			file.pending = append(file.pending, &change{by: c, at: c.number(2) + c.number(3)})
		}
	case "fdatasync", "fsync":
		if file != nil {
			for _, p := range file.pending {
				if p.by.ended < c.began { // a write that was still under way may not be part of it
					file.flush[c] = append(file.flush[c], p)
				}
			}
		}
	case "openat":
		if strings.Contains(c.args[2], "O_TRUNC") {
			if _, _, now := d.find(c.args[1]); now != nil {
				now.pending = append(now.pending, &change{by: c, at: -1})
			}
		}
	case "linkat", "renameat", "renameat2", "unlinkat", "mkdirat":
		return d.rename(c)
	default:
		if file != nil {
			return fmt.Errorf("the model does not know this call")
		}
	}
	return nil
}

// rename changes names.
func (d *disk) rename(c *call) error {
	folder, name, now := d.find(c.args[1])
	if folder == nil {
		return nil
	}
	put := func(in *inode, names map[string]*inode) {
		in.pending = append(in.pending, &change{by: c, names: names})
		maps.Copy(in.now, names)
	}
	switch c.name {
	case "mkdirat":
		put(folder, map[string]*inode{name: d.add(true)})
		return nil
	case "unlinkat":
		put(folder, map[string]*inode{name: nil})
		return nil
	}
	to, newName, _ := d.find(c.args[3])
	if to == nil || now == nil {
		return fmt.Errorf("from %q to %q: the model does not know one of them", c.args[1], c.args[3])
	}
	if c.name == "linkat" {
		put(to, map[string]*inode{newName: now})
		return nil
	}
	if to == folder {
		put(folder, map[string]*inode{name: nil, newName: now})
		return nil
	}
	put(to, map[string]*inode{newName: now})
	put(folder, map[string]*inode{name: nil})
	return nil
}

// end carries out what is certain only when a call is over.
func (d *disk) end(c *call) error {
	if c.result < 0 {
		return nil
	}
	switch c.name {
	case "openat":
		folder, name, now := d.find(c.args[1])
		if folder == nil {
			return nil
		}
		if now == nil {
			if !strings.Contains(c.args[2], "O_CREAT") {
				return fmt.Errorf("%s was opened and the model has none", c.args[1])
			}
			now = d.add(false)
			folder.pending = append(folder.pending, &change{by: c, names: map[string]*inode{name: now}})
			folder.now[name] = now
		}
		d.handles[c.result] = now
	case "fdatasync", "fsync":
		for _, i := range d.inodes {
			if flushed, ok := i.flush[c]; ok {
				i.keep(flushed)
				delete(i.flush, c)
			}
		}
	}
	return nil
}

// keep makes changes flushed ones.
func (i *inode) keep(flushed []*change) {
	for _, f := range flushed {
		if at := slices.Index(i.pending, f); at >= 0 {
			i.pending = slices.Delete(i.pending, at, at+1)
			i.apply(f)
		}
	}
}

func (i *inode) apply(c *change) {
	switch {
	case c.names != nil:
		maps.Copy(i.names, c.names)
	case c.at < 0:
		i.truncate(c.size)
	default:
		for n, s := range i.sectorsOf(c) {
			i.sectors[n] = s
		}
		i.size = max(i.size, c.at+int64(len(c.data)))
	}
}

func (i *inode) truncate(size int64) {
	i.size = size
	for n := range i.sectors {
		if n*sector >= size {
			delete(i.sectors, n)
		}
	}
}

// sectorsOf is what a write puts into each sector that it touches.
func (i *inode) sectorsOf(c *change) map[int64]string {
	all := map[int64]string{}
	for off := 0; off < len(c.data); {
		n, in := (c.at+int64(off))/sector, (c.at+int64(off))%sector
		take := min(len(c.data)-off, int(sector-in))
		old := []byte(i.sectors[n])
		old = append(old, make([]byte, sector-len(old))...)
		copy(old[in:], c.data[off:off+take])
		all[n] = string(old)
		off += take
	}
	return all
}

// tear says how much of what was not flushed survives.
type tear string

const (
	nothing  tear = "nothing"
	all      tear = "all"
	first    tear = "the first part"
	some     tear = "any of the writes"
	pages    tear = "any of the pages"
	sectored tear = "any of the sectors"
)

func tears() []tear { return []tear{nothing, all, first, some, pages, sectored} }

// cut decides what survives: from here on everything that is left is flushed.
func (i *inode) cut(how tear, rng *rand.Rand) {
	pending := i.pending
	i.pending, i.flush = nil, nil
	until := rng.IntN(len(pending) + 1)
	unit := map[tear]int64{pages: 4096, sectored: sector}[how]
	for n, c := range pending {
		switch {
		case how == all, how == first && n < until, how == some && rng.IntN(2) == 0:
			i.apply(c)
		case unit == 0 || rng.IntN(2) == 0 && (c.names != nil || c.at < 0):
		case c.names != nil || c.at < 0:
			i.apply(c)
		default:
			i.tearWrite(c, unit, rng)
		}
	}
}

// tearWrite applies some units of a write.
func (i *inode) tearWrite(c *change, unit int64, rng *rand.Rand) {
	lot := map[int64]bool{}
	content := i.sectorsOf(c)
	for _, n := range slices.Sorted(maps.Keys(content)) { // in order, so that the seed repeats it
		at := n * sector / unit
		if _, drawn := lot[at]; !drawn {
			lot[at] = rng.IntN(2) == 0
		}
		if lot[at] {
			i.sectors[n] = content[n]
			i.size = max(i.size, min((n+1)*sector, c.at+int64(len(c.data))))
		}
	}
}

// write puts what survived into an empty folder.
func (d *disk) write(to string) error { return d.inodes[0].write(to) }

func (i *inode) write(to string) error {
	if i.folder {
		if err := os.MkdirAll(to, 0o700); err != nil {
			return err
		}
		for name, entry := range i.names {
			if entry != nil {
				if err := entry.write(filepath.Join(to, name)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for n, s := range i.sectors {
		if _, err := f.WriteAt([]byte(s), n*sector); err != nil {
			return err
		}
	}
	if err := f.Truncate(i.size); err != nil {
		return err
	}
	return f.Close()
}
