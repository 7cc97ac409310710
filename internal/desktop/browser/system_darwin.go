package browser

import (
	"bytes"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// zombie is SZOMB of <sys/proc.h>: dead and not yet reaped.
const zombie = 5

// lives reports whether a process of the group lives, zombies aside.
func lives(leader int) bool {
	members, err := unix.SysctlKinfoProcSlice("kern.proc.pgrp", leader)
	if err != nil {
		return true // unknown: wait rather than wipe under a living browser
	}
	return slices.ContainsFunc(members, func(p unix.KinfoProc) bool { return p.Proc.P_stat != zombie })
}

// identify tells a process from any other that ever had its number: start is the microsecond at which it began, exe
// the program that it was started as. ok is false when it does not live or is somebody else's.
func identify(pid int) (start, exe string, ok bool) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(info.Proc.P_pid) != pid || info.Proc.P_stat == zombie {
		return "", "", false
	}
	began := info.Proc.P_starttime
	exe, _, ok = procArgs(pid)
	return fmt.Sprintf("%d.%06d", began.Sec, began.Usec), exe, ok
}

// procArgs reads kern.procargs2: the count of the arguments, the program's path, and behind it the arguments and the
// environment, each ended by a zero byte. args is cut before the environment, which is nobody's business here.
func procArgs(pid int) (exe string, args []byte, ok bool) {
	raw, err := unix.SysctlRaw("kern.procargs2", pid)
	if err != nil || len(raw) < 4 {
		return "", nil, false
	}
	count := int(raw[0]) | int(raw[1])<<8 | int(raw[2])<<16 | int(raw[3])<<24
	path, rest, found := bytes.Cut(raw[4:], []byte{0})
	if !found {
		return "", nil, false
	}
	rest = bytes.TrimLeft(rest, "\x00") // padding
	end := 0
	for ; count > 0; count-- {
		i := bytes.IndexByte(rest[end:], 0)
		if i < 0 {
			return string(path), rest, true
		}
		end += i + 1
	}
	return string(path), rest[:end], true
}

// names reports whether the arguments of pid name the folder.
func names(pid int, dir string) bool {
	_, args, ok := procArgs(pid)
	return ok && named(string(args), dir, "/")
}

// naming lists the processes of this user whose arguments name the folder, this one aside.
func naming(dir string) []int {
	all, err := unix.SysctlKinfoProcSlice("kern.proc.uid", os.Getuid())
	if err != nil {
		return nil
	}
	var found []int
	for _, p := range all {
		pid := int(p.Proc.P_pid)
		if p.Proc.P_stat != zombie && pid != os.Getpid() && names(pid, dir) {
			found = append(found, pid)
		}
	}
	return found
}
