package browser

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
)

// lives reports whether a process of the group lives, zombies aside.
func lives(leader int) bool {
	return slices.ContainsFunc(processes(), func(pid int) bool {
		f := statFields(pid)
		return len(f) > 2 && f[0] != "Z" && f[2] == strconv.Itoa(leader)
	})
}

// identify tells a process from any other that ever had its number: start is the boot and the tick at which it
// began, exe the program it runs now. ok is false when it does not live.
func identify(pid int) (start, exe string, ok bool) {
	fields := statFields(pid)
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || len(fields) < 20 || fields[0] == "Z" {
		return "", "", false
	}
	exe, err = os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return strings.TrimSpace(string(boot)) + " " + fields[19], exe, err == nil
}

// statFields are those of /proc/PID/stat behind the name, which may hold anything: state, parent, group and, the
// twentieth, the start time. nil when there is no such process.
func statFields(pid int) []string {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}

// names reports whether the arguments of pid name the folder.
func names(pid int, dir string) bool {
	cmdline, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return err == nil && named(string(cmdline), dir, "/")
}

// naming lists the processes whose arguments name the folder, this one aside.
func naming(dir string) []int {
	return slices.DeleteFunc(processes(), func(pid int) bool { return pid == os.Getpid() || !names(pid, dir) })
}

func processes() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
