//go:build linux && !race

package ordeal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of a child are decided on here, by the kernel's own means (seccomp(2), SECCOMP_RET_USER_NOTIF): each of
// the calls below asks us whether it may go on or fails with an error. strace can inject faults as well, but counts the
// calls of each thread by itself, and a Go program's calls wander between threads: no call would be failed exactly once.

// guarded lists the calls that are asked about, and where they say what file they are about: the argument that is a
// handle, or else the one that is a path.
var guarded = map[string]struct {
	number       int32
	handle, path int // -1 for none
}{
	"openat": {unix.SYS_OPENAT, -1, 1}, "pwrite64": {unix.SYS_PWRITE64, 0, -1}, "ftruncate": {unix.SYS_FTRUNCATE, 0, -1},
	"fdatasync": {unix.SYS_FDATASYNC, 0, -1}, "fsync": {unix.SYS_FSYNC, 0, -1}, "mmap": {unix.SYS_MMAP, 4, -1},
	"linkat": {unix.SYS_LINKAT, -1, 1}, "renameat": {unix.SYS_RENAMEAT, -1, 1}, "unlinkat": {unix.SYS_UNLINKAT, -1, 1},
	"fallocate": {unix.SYS_FALLOCATE, 0, -1}, "mkdirat": {unix.SYS_MKDIRAT, -1, 1}, "fchmodat": {unix.SYS_FCHMODAT, -1, 1},
}

// ask makes the kernel ask about all guarded calls of this process, from all of its threads, and passes the handle on
// which it asks to the other end of the socket.
func ask(socket int) error {
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	equal := func(k uint32, skip uint8) unix.SockFilter { // the next one, or skip some
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jf: skip}
	}
	answer := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	const number, fifthArgument = 0, 16 + 4*8
	program := []unix.SockFilter{load(number), equal(unix.SYS_MMAP, 4),
		// Memory that is no file's: the runtime takes it under locks of its own.
		load(fifthArgument), equal(^uint32(0), 1), answer(unix.SECCOMP_RET_ALLOW), load(number)}
	for _, g := range guarded {
		program = append(program, equal(uint32(g.number), 1), answer(unix.SECCOMP_RET_USER_NOTIF))
	}
	program = append(program, answer(unix.SECCOMP_RET_ALLOW))
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	flags := unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flags), uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return errno
	}
	return errors.Join(unix.Sendmsg(socket, []byte{0}, unix.UnixRights(int(fd)), nil, 0), unix.Close(int(fd)), unix.Close(socket))
}

// listener receives the handle that ask sends.
func listener(socket int) (int, error) {
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return -1, fmt.Errorf("no handle came (%w)", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, fmt.Errorf("no handle came (%w)", err)
	}
	return fds[0], nil
}

// question and reply are struct seccomp_notif and struct seccomp_notif_resp.
type question struct {
	id     uint64
	pid    uint32
	_      uint32
	number int32
	_      uint32
	_      uint64
	args   [6]uint64
}

type reply struct {
	id    uint64
	_     int64
	errno int32
	flags uint32
}

// fault is what is to go wrong: the nth call of this name on a file of the folder.
type fault struct {
	call  string
	errno unix.Errno
	nth   int
}

func (f fault) String() string {
	return fmt.Sprintf("%s call %d: %s", f.call, f.nth, unix.ErrnoName(f.errno))
}

// decide answers the kernel's questions until the process that asks is gone, and returns how many calls of the
// fault's name there were on files of the folder.
func (f fault) decide(fd int, folder string) (calls int, err error) {
	for {
		wait := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(wait, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return calls, err
		}
		if wait[0].Revents&unix.POLLIN == 0 {
			if wait[0].Revents != 0 { // nobody is left to ask
				return calls, nil
			}
			continue
		}
		var q question
		if errno := ioctl(fd, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&q)); errno != 0 {
			continue // it was killed meanwhile
		}
		r := reply{id: q.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if g := guarded[f.call]; q.number == g.number && strings.HasPrefix(q.file(g.handle, g.path), folder) {
			calls++
			if calls == f.nth {
				r.errno, r.flags = -int32(f.errno), 0
			}
		}
		ioctl(fd, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r))
	}
}

func ioctl(fd int, request uintptr, at unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(at))
	return errno
}

// file is what the call is about. The caller is stopped, so nothing changes meanwhile.
func (q question) file(handle, path int) string {
	proc := fmt.Sprintf("/proc/%d", q.pid)
	if handle >= 0 {
		name, _ := os.Readlink(filepath.Join(proc, "fd", fmt.Sprint(int32(q.args[handle]))))
		return name
	}
	memory, err := os.Open(filepath.Join(proc, "mem"))
	if err != nil {
		return ""
	}
	defer func() { _ = memory.Close() }()
	text := make([]byte, 4096)
	n, _ := memory.ReadAt(text, int64(q.args[path]))
	name, _, _ := bytes.Cut(text[:n], []byte{0})
	return string(name)
}
