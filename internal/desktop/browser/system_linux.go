package browser

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const supported = true

// process is a started browser and our ends of its pipes.
type process struct {
	pid    int
	in     *os.File // to the browser
	out    *os.File // from the browser
	stderr *os.File
	exited chan struct{} // closed when the leader has ended and was reaped
}

// start runs the plan in a process group of its own, with the pipe as file descriptors 3 and 4. Nothing else is
// inherited: all other files of a Go program are closed on exec.
func start(plan Plan) (p *process, err error) {
	var files []*os.File
	pipe := func() (r, w *os.File) {
		if err == nil {
			if r, w, err = os.Pipe(); err == nil {
				files = append(files, r, w)
			}
		}
		return r, w
	}
	inR, inW := pipe()
	outR, outW := pipe()
	errR, errW := pipe()
	cmd := exec.Command(plan.Path, plan.Args...)
	cmd.Env, cmd.Dir = plan.Env, plan.Dir
	cmd.Stderr = errW
	cmd.ExtraFiles = []*os.File{inR, outW}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		for _, f := range files {
			f.Close()
		}
		return nil, err
	}
	inR.Close()
	outW.Close()
	errW.Close()
	p = &process{pid: cmd.Process.Pid, in: inW, out: outR, stderr: errR, exited: make(chan struct{})}
	go func() { // ends with the process, which Close sees to
		_ = cmd.Wait() // how it ended tells nothing that the pipe does not
		close(p.exited)
	}()
	return p, nil
}

func (p *process) terminate() { _ = syscall.Kill(-p.pid, syscall.SIGTERM) } // it may just have ended

func (p *process) kill() { _ = killGroup(p.pid) } // it may just have ended

// alone reports that no process of the group lives. A dead one that the system's first process has not yet reaped
// still counts for kill, for seconds on some machines, but holds no file any more.
func (p *process) alone() bool {
	if errors.Is(syscall.Kill(-p.pid, 0), syscall.ESRCH) {
		return true
	}
	for _, pid := range processes() {
		if f := statFields(pid); len(f) > 2 && f[0] != "Z" && f[2] == strconv.Itoa(p.pid) {
			return false
		}
	}
	return true
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

// inGroup reports whether pid belongs to the process group of leader.
func inGroup(pid, leader int) bool {
	group, err := syscall.Getpgid(pid)
	return err == nil && group == leader
}

// names reports whether the arguments of pid name the folder.
func names(pid int, dir string) bool {
	cmdline, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return err == nil && bytes.Contains(cmdline, []byte(dir+"/"))
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
