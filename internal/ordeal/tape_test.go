//go:build linux && !race

package ordeal

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// call is one call of the system as strace saw it: it began with the line began and was over with the line ended.
type call struct {
	name         string
	args         []string // as strace prints them, strings unescaped
	result       int64
	began, ended int
}

// never is the end of a call that was not over when the tape ends.
const never = int(^uint(0) >> 1)

// taped lists the calls that change files or names, and those by which we follow them.
const taped = "open,openat,close,write,writev,pwrite64,pwritev,ftruncate,truncate,fallocate,fdatasync,fsync,msync," +
	"rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,copy_file_range,sendfile"

// older names calls without a folder, which SQLite still makes, as those with one.
var older = map[string]string{"open": "openat", "unlink": "unlinkat", "mkdir": "mkdirat"}

// readTape reads what strace -f -xx wrote.
func readTape(path string) ([]*call, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var all []*call
	halves := map[string]*call{} // by thread
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for n := 0; lines.Scan(); n++ {
		thread, text, _ := strings.Cut(lines.Text(), " ")
		text = strings.TrimSpace(text)
		if strings.HasPrefix(text, "---") || strings.HasPrefix(text, "+++") {
			continue
		}
		if strings.HasPrefix(text, "<... ") {
			c := halves[thread]
			if c == nil {
				return nil, fmt.Errorf("line %d ends what never began", n+1)
			}
			delete(halves, thread)
			c.ended, c.result = n, resultOf(text)
			continue
		}
		c, err := readCall(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		c.began, c.ended = n, n
		if strings.HasSuffix(text, "<unfinished ...>") {
			c.ended = never
			halves[thread] = c
		} else {
			c.result = resultOf(text)
		}
		all = append(all, c)
	}
	return all, lines.Err()
}

// resultOf is what stands behind the last equals sign; -1 where that is no number.
func resultOf(text string) int64 {
	_, after, _ := strings.Cut(text[strings.LastIndex(text, ")"):], "= ")
	if strings.Contains(text, ") = -1") { // the reason follows in brackets of its own
		return -1
	}
	number, _, _ := strings.Cut(after, " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func readCall(text string) (*call, error) {
	name, rest, ok := strings.Cut(text, "(")
	if !ok {
		return nil, fmt.Errorf("%.80q is no call", text)
	}
	c := &call{name: name}
	if at, ok := older[name]; ok {
		c.name, c.args = at, []string{"AT_FDCWD"}
	}
	for rest != "" {
		rest = strings.TrimLeft(rest, ", ")
		if strings.HasPrefix(rest, `"`) {
			quoted, after, _ := strings.Cut(rest[1:], `"`)
			plain, err := unescape(quoted)
			if err != nil {
				return nil, err
			}
			c.args, rest = append(c.args, plain), after
			continue
		}
		end := strings.IndexAny(rest, ",) <")
		if end <= 0 {
			return c, nil
		}
		c.args, rest = append(c.args, rest[:end]), rest[end:]
		if rest[0] != ',' {
			return c, nil
		}
	}
	return c, nil
}

// unescape reads \x41\x42…
func unescape(text string) (string, error) {
	out := make([]byte, 0, len(text)/4)
	for i := 0; i < len(text); i += 4 {
		if i+4 > len(text) || text[i:i+2] != `\x` {
			return "", fmt.Errorf("a string that is not all escaped: %.40q", text)
		}
		b, err := strconv.ParseUint(text[i+2:i+4], 16, 8)
		if err != nil {
			return "", err
		}
		out = append(out, byte(b))
	}
	return string(out), nil
}

func (c *call) number(n int) int64 {
	if n >= len(c.args) {
		return -1
	}
	v, err := strconv.ParseInt(c.args[n], 0, 64)
	if err != nil {
		return -1
	}
	return v
}

func TestTapeIsRead(t *testing.T) {
	for text, want := range map[string]string{
		`pwrite64(7, "\x41\x42", 2, 4096) = 2`:                                             "pwrite64 [7 AB 2 4096] 2",
		`openat(AT_FDCWD, "\x2f\x61", O_RDWR|O_CREAT, 0600) = 9`:                           "openat [AT_FDCWD /a O_RDWR|O_CREAT 0600] 9",
		`openat(AT_FDCWD, "\x2f\x61", O_RDONLY) = -1 ENOENT (No such file or directory)`:   "openat [AT_FDCWD /a O_RDONLY] -1",
		`open("\x2f\x61", O_RDWR|O_CREAT, 0600) = 9`:                                       "openat [AT_FDCWD /a O_RDWR|O_CREAT 0600] 9",
		`fdatasync(7)                      = 0`:                                            "fdatasync [7] 0",
		`linkat(AT_FDCWD, "\x2f\x61", AT_FDCWD, "\x2f\x62", 0) = -1 EPERM (Not permitted)`: "linkat [AT_FDCWD /a AT_FDCWD /b 0] -1",
	} {
		c, err := readCall(text)
		if err != nil || fmt.Sprint(c.name, " ", c.args, " ", resultOf(text)) != want {
			t.Errorf("%s: %+v, %v", text, c, err)
		}
	}
}
