package outbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
)

// The layout of a bbolt file (go.etcd.io/bbolt/internal/common, version 2), as far as it is needed to tell whether
// bbolt can read it without a fault. Numbers have the machine's byte order.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeader    = 16 // id 8, flags 2, count 2, overflow 4
	metaLength    = 64 // magic 4, version 4, page size 4, flags 4, root 8, sequence 8, free list 8, pages 8, txid 8, checksum 8
	elementLength = 16
	branchFlag    = 0x01
	leafFlag      = 0x02
	bucketElement = 0x01
	bucketHeader  = 16 // root 8, sequence 8
	noFreelist    = ^uint64(0)
	maxPageSize   = 64 << 10
	maxDepth      = 32
)

// boltMeta is what a meta page says.
type boltMeta struct {
	pageSize          int64
	root, pages, txid uint64
	freelist          uint64
}

// pageCheck walks the tree of one file.
type pageCheck struct {
	r       io.ReaderAt
	meta    boltMeta
	visited []uint64             // one bit a page
	buffers [maxDepth + 1][]byte // the page that is looked at on each level; those above it are needed still
}

// checkPages reads every page that the newest meta page reaches, without mapping the file, and returns an error when
// one is not what a sound file has there. Both meta pages must be valid: bbolt would quietly go on with the older
// one, which is the state before the last commit.
func checkPages(r io.ReaderAt, size int64) error {
	first, err := readMeta(r, 0)
	if err != nil {
		return damaged("first meta page: %w", err)
	}
	second, err := readMeta(r, first.pageSize)
	if err != nil {
		return damaged("second meta page: %w", err)
	}
	if first.pageSize != second.pageSize {
		return damaged("two page sizes")
	}
	newest := first
	if second.txid > first.txid {
		newest = second
	}
	if newest.pages > uint64(size/newest.pageSize) { //nolint:gosec // G115: a file's size is not negative
		return damaged("the file was cut: %d bytes, %d pages of %d", size, newest.pages, newest.pageSize)
	}
	if newest.freelist != noFreelist {
		return damaged("a list of free pages that we never write")
	}
	c := &pageCheck{r: &readAhead{r: r}, meta: newest, visited: make([]uint64, newest.pages/64+1)}
	if err := c.tree(newest.root, nil, nil, 0); err != nil {
		return damaged("%w", err)
	}
	return nil
}

func readMeta(r io.ReaderAt, at int64) (boltMeta, error) {
	b := make([]byte, pageHeader+metaLength)
	if _, err := r.ReadAt(b, at); err != nil {
		return boltMeta{}, err
	}
	b = b[pageHeader:]
	sum := fnv.New64a()
	_, _ = sum.Write(b[:56]) // a hash never fails
	n := binary.NativeEndian
	m := boltMeta{pageSize: int64(n.Uint32(b[8:])), root: n.Uint64(b[16:]), freelist: n.Uint64(b[32:]),
		pages: n.Uint64(b[40:]), txid: n.Uint64(b[48:])}
	switch {
	case n.Uint32(b) != boltMagic || n.Uint32(b[4:]) != boltVersion:
		return m, errors.New("not a bbolt file of version 2")
	case n.Uint64(b[56:]) != sum.Sum64():
		return m, errors.New("wrong checksum")
	case m.pageSize < 1024 || m.pageSize > maxPageSize || m.pageSize&(m.pageSize-1) != 0:
		return m, fmt.Errorf("page size %d", m.pageSize)
	}
	return m, nil
}

// tree checks the page and everything below it. Its keys lie in [low, high), where nil is no bound.
func (c *pageCheck) tree(id uint64, low, high []byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("page %d: too deep", id)
	}
	page, err := c.page(id, depth)
	if err != nil {
		return err
	}
	n := binary.NativeEndian
	flags, count := n.Uint16(page[8:]), int(n.Uint16(page[10:]))
	if pageHeader+count*elementLength > len(page) {
		return fmt.Errorf("page %d: %d elements do not fit", id, count)
	}
	switch flags {
	case branchFlag:
		return c.branch(page, id, count, low, high, depth)
	case leafFlag:
		return c.leaf(page, id, count, low, high, depth)
	}
	return fmt.Errorf("page %d: flags %#x", id, flags)
}

// page reads a page with its overflow and notes it, so that none is reached twice. It is valid until the next one of
// its depth is read.
func (c *pageCheck) page(id uint64, depth int) ([]byte, error) {
	if id < 2 || id >= c.meta.pages {
		return nil, fmt.Errorf("page %d of %d", id, c.meta.pages)
	}
	page := slices.Grow(c.buffers[depth][:0], int(c.meta.pageSize))[:c.meta.pageSize]
	at := int64(id) * c.meta.pageSize //nolint:gosec // G115: below the number of pages, which fit into the file
	if _, err := c.r.ReadAt(page, at); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	n := binary.NativeEndian
	overflow := uint64(n.Uint32(page[12:]))
	if n.Uint64(page) != id || overflow >= c.meta.pages-id {
		return nil, fmt.Errorf("page %d calls itself %d and has %d more", id, n.Uint64(page), overflow)
	}
	for i := id; i <= id+overflow; i++ {
		if c.visited[i/64]&(1<<(i%64)) != 0 {
			return nil, fmt.Errorf("page %d is reached twice", i)
		}
		c.visited[i/64] |= 1 << (i % 64)
	}
	more := int(overflow) * int(c.meta.pageSize) //nolint:gosec // G115: they fit into the file
	page = slices.Grow(page, more)[:len(page)+more]
	c.buffers[depth] = page
	if _, err := c.r.ReadAt(page[c.meta.pageSize:], at+c.meta.pageSize); more > 0 && err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	return page, nil
}

func (c *pageCheck) branch(page []byte, id uint64, count int, low, high []byte, depth int) error {
	if count == 0 {
		return fmt.Errorf("page %d: a branch with nothing below", id)
	}
	type child struct {
		key []byte
		id  uint64
	}
	children := make([]child, count)
	n := binary.NativeEndian
	for i := range children {
		at := pageHeader + i*elementLength
		key, err := slice(page, at, n.Uint32(page[at:]), n.Uint32(page[at+4:]))
		if err != nil {
			return fmt.Errorf("page %d: key %d: %w", id, i, err)
		}
		children[i] = child{key, n.Uint64(page[at+8:])}
		// A branch key may be smaller than the first key below it, never smaller than its own page's bound.
		if i == 0 && low != nil && bytes.Compare(key, low) < 0 || i > 0 && bytes.Compare(key, children[i-1].key) <= 0 ||
			high != nil && bytes.Compare(key, high) >= 0 {
			return fmt.Errorf("page %d: key %d is out of order", id, i)
		}
	}
	for i, ch := range children {
		end := high
		if i+1 < count {
			end = children[i+1].key
		}
		if err := c.tree(ch.id, ch.key, end, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *pageCheck) leaf(page []byte, id uint64, count int, low, high []byte, depth int) error {
	n := binary.NativeEndian
	var before []byte
	for i := range count {
		at := pageHeader + i*elementLength
		pos, keyLen, valueLen := n.Uint32(page[at+4:]), n.Uint32(page[at+8:]), n.Uint32(page[at+12:])
		key, err := slice(page, at, pos, keyLen)
		if err != nil {
			return fmt.Errorf("page %d: key %d: %w", id, i, err)
		}
		value, err := slice(page, at+len(key), pos, valueLen)
		if err != nil {
			return fmt.Errorf("page %d: value %d: %w", id, i, err)
		}
		if i > 0 && bytes.Compare(key, before) <= 0 || low != nil && bytes.Compare(key, low) < 0 ||
			high != nil && bytes.Compare(key, high) >= 0 {
			return fmt.Errorf("page %d: key %d is out of order", id, i)
		}
		before = key
		switch n.Uint32(page[at:]) {
		case 0:
		case bucketElement:
			if err := c.bucket(value, id, depth); err != nil {
				return err
			}
		default:
			return fmt.Errorf("page %d: element %d has flags %#x", id, i, n.Uint32(page[at:]))
		}
	}
	return nil
}

// bucket checks a bucket: a tree of its own, or one page within the value when it is small.
func (c *pageCheck) bucket(value []byte, id uint64, depth int) error {
	if len(value) < bucketHeader {
		return fmt.Errorf("page %d: a bucket of %d bytes", id, len(value))
	}
	n := binary.NativeEndian
	if root := n.Uint64(value); root != 0 {
		return c.tree(root, nil, nil, depth+1)
	}
	inline := value[bucketHeader:]
	if len(inline) < pageHeader || n.Uint16(inline[8:]) != leafFlag {
		return fmt.Errorf("page %d: a bucket without a page", id)
	}
	count := int(n.Uint16(inline[10:]))
	if pageHeader+count*elementLength > len(inline) {
		return fmt.Errorf("page %d: %d elements do not fit into a bucket", id, count)
	}
	return c.leaf(inline, id, count, nil, nil, depth+1)
}

// slice returns length bytes that begin pos after at.
func slice(page []byte, at int, pos, length uint32) ([]byte, error) {
	begin := uint64(at) + uint64(pos) //nolint:gosec // G115: an index is not negative
	end := begin + uint64(length)
	if end > uint64(len(page)) {
		return nil, fmt.Errorf("bytes %d to %d of %d", begin, end, len(page))
	}
	return page[begin:end], nil
}
