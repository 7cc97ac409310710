//go:build linux || darwin

package browser

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// held is nothing: the browser leads its process group, whose number is its own.
type held struct{}

func (held) release() {}

// startHeld starts cmd with the pipe's ends as file descriptors 3 and 4. Nothing else is inherited.
func startHeld(cmd *exec.Cmd, plan Plan, in, out *os.File) (held, error) {
	if plan.Pipe == Handles || plan.Group == Job {
		return held{}, errors.New("this plan is for another system")
	}
	cmd.Args = append(cmd.Args, plan.argv(3, 4)...)
	if in != nil {
		cmd.ExtraFiles = []*os.File{in, out}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return held{}, err
	}
	return held{}, nil
}

// keepBack sees to it that no child gets a descriptor unless it is handed on, the three standard ones aside. Those
// that Go opens, as the pipes were, end at exec. Those that came from whoever started Stead do not: a shell or an
// editor leaves some open at times.
func keepBack([]*os.File) error {
	dir, err := os.Open("/dev/fd")
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return err
}

// terminate asks the group to end, where the system knows a way to ask.
func (p *process) terminate() { _ = syscall.Kill(-p.pid, syscall.SIGTERM) } // it may just have ended

// kill ends the group.
func (p *process) kill() { _ = killGroup(p.pid) } // it may just have ended

// alone reports that no process of the group lives. It asks further when the kernel still knows the group: a dead
// process that the system's first process has not yet reaped counts for kill, for seconds on some machines, but holds
// no file any more.
func (p *process) alone() bool {
	return errors.Is(syscall.Kill(-p.pid, 0), syscall.ESRCH) || !lives(p.pid)
}

func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

func killOne(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }

// lockFile takes an exclusive lock that ends with the file, at the latest with this process.
func lockFile(f *os.File) (taken bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// usedBy reports whether the group uses the profile: the profile's lock, a link to HOST-PID, names one of its
// processes. It is an error if it names any other, and false while there is no lock.
func usedBy(profile string, p *process) (bool, error) {
	link, err := os.Readlink(filepath.Join(profile, "SingletonLock"))
	if err != nil {
		return false, nil // not yet: a browser makes it while it starts
	}
	pid, err := strconv.Atoi(link[strings.LastIndexByte(link, '-')+1:])
	if err == nil {
		var leader int
		if leader, err = syscall.Getpgid(pid); err == nil && leader == p.pid {
			return true, nil
		}
	}
	return false, fmt.Errorf("its lock names %q", link)
}

// elevated is about Windows. Launch refuses root, which is something else.
func elevated() bool { return false }
