package browser

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// held is the job that holds the browser and everything it started. Nothing breaks away from it, and the system
// ends all of it when its only handle, ours, is closed: by release, or by the end of this process, however it ends.
type held struct{ job windows.Handle }

func (h held) release() { closeHandle(h.job) }

// startHeld starts cmd with handles of the pipe's ends, whose numbers stand in its arguments. Only those on os/exec's
// list are inherited: the three standard ones and these two.
//
// The program runs for some microseconds before it is in the job. It starts nothing that early.
func startHeld(cmd *exec.Cmd, plan Plan, in, out *os.File) (h held, err error) {
	if plan.Pipe == Descriptors || plan.Group == ProcessGroup {
		return held{}, errors.New("this plan is for another system")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	var handles [2]uintptr
	if in != nil {
		for i, f := range []*os.File{in, out} {
			handles[i] = f.Fd()
			if err := inheritable(windows.Handle(handles[i]), windows.HANDLE_FLAG_INHERIT); err != nil {
				return held{}, err
			}
			cmd.SysProcAttr.AdditionalInheritedHandles = append(cmd.SysProcAttr.AdditionalInheritedHandles, syscall.Handle(handles[i]))
		}
	}
	cmd.Args = append(cmd.Args, plan.argv(handles[0], handles[1])...)
	if h, err = newJob(); err != nil {
		return held{}, err
	}
	if err := cmd.Start(); err != nil {
		h.release()
		return held{}, err
	}
	open := cmd.Process.WithHandle(func(process uintptr) { err = windows.AssignProcessToJobObject(h.job, windows.Handle(process)) })
	if err = errors.Join(open, err); err != nil {
		_ = cmd.Process.Kill() // it may have ended by itself, which is one reason to be here
		_ = cmd.Wait()
		h.release()
		return held{}, fmt.Errorf("put the browser into its job: %w", err)
	}
	return h, nil
}

// keepBack makes the pipes' ends such as no child inherits unless it is handed them. Go makes them inheritable, and a
// child that is not started by os/exec, as WebView2's are, might get one: the pipe would not end with this process.
func keepBack(pipes []*os.File) error {
	for _, f := range pipes {
		if err := inheritable(windows.Handle(f.Fd()), 0); err != nil {
			return err
		}
	}
	return nil
}

func inheritable(h windows.Handle, flag uint32) error {
	return os.NewSyscallError("SetHandleInformation", windows.SetHandleInformation(h, windows.HANDLE_FLAG_INHERIT, flag))
}

func newJob() (held, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return held{}, os.NewSyscallError("CreateJobObject", err)
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE},
	}
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info))); err != nil { //nolint:gosec // G103: the call takes a structure of ours
		closeHandle(job)
		return held{}, os.NewSyscallError("SetInformationJobObject", err)
	}
	return held{job}, nil
}

// terminate is nothing: Windows knows no signal that a browser would answer.
func (p *process) terminate() {}

// kill ends the job.
func (p *process) kill() { _ = windows.TerminateJobObject(p.held.job, 1) } // it may be empty

// jobAccounting is JOBOBJECT_BASIC_ACCOUNTING_INFORMATION.
type jobAccounting struct {
	UserTime, KernelTime, PeriodUserTime, PeriodKernelTime int64
	PageFaults, TotalProcesses, ActiveProcesses, Ended     uint32
}

// alone reports that no process of the job lives, the crash handler included, which is outside of the group elsewhere.
func (p *process) alone() bool {
	var info jobAccounting
	err := windows.QueryInformationJobObject(p.held.job, windows.JobObjectBasicAccountingInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)), nil) //nolint:gosec // G103: the call fills a structure of ours
	return err == nil && info.ActiveProcesses == 0
}

// killGroup is for a browser that an earlier Stead had started. Its job went with that Stead, and the browser with
// the job; should it live, its helpers end with it.
func killGroup(pid int) error { return killOne(pid) }

func killOne(pid int) error {
	h, err := openProcess(pid, windows.PROCESS_TERMINATE)
	if err != nil {
		return err
	}
	defer closeHandle(h)
	return windows.TerminateProcess(h, 1)
}

func openProcess(pid int, access uint32) (windows.Handle, error) {
	return windows.OpenProcess(access, false, uint32(pid)) //nolint:gosec // G115: the system's own numbers have 32 bits
}

func closeHandle(h windows.Handle) { _ = windows.CloseHandle(h) } // it fails only for what is no handle

// lockFile takes an exclusive lock that ends with the file, at the latest with this process.
func lockFile(f *os.File) (taken bool, err error) {
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

// usedBy reports whether a browser uses the profile. Its lockfile tells no process, but it goes with the one that
// holds it, and the folder was made by us a moment ago, so that nobody else can have put it there.
func usedBy(profile string, _ *process) (bool, error) {
	_, err := os.Lstat(filepath.Join(profile, "lockfile"))
	return err == nil, nil
}

func elevated() bool { return windows.GetCurrentProcessToken().IsElevated() }

// identify tells a process from any other that ever had its number: start is the moment of its creation in units of
// 100 ns, exe its program. ok is false when it does not live or may not be asked.
func identify(pid int) (start, exe string, ok bool) {
	h, err := openProcess(pid, windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.SYNCHRONIZE)
	if err != nil {
		return "", "", false
	}
	defer closeHandle(h)
	if state, err := windows.WaitForSingleObject(h, 0); err != nil || state != uint32(windows.WAIT_TIMEOUT) {
		return "", "", false // ended, and kept by somebody's handle
	}
	var created, exited, kernel, user windows.Filetime
	if windows.GetProcessTimes(h, &created, &exited, &kernel, &user) != nil {
		return "", "", false
	}
	var name [windows.MAX_LONG_PATH]uint16
	size := uint32(len(name))
	if windows.QueryFullProcessImageName(h, 0, &name[0], &size) != nil {
		return "", "", false
	}
	return fmt.Sprintf("%d.%d", created.HighDateTime, created.LowDateTime), windows.UTF16ToString(name[:size]), true
}

// names reports whether the command line of pid names the folder. Paths have no case here.
func names(pid int, dir string) bool {
	return named(strings.ToLower(commandLine(pid)), strings.ToLower(dir), `\`)
}

// commandLine is "" for a process that does not live or may not be asked.
func commandLine(pid int) string {
	h, err := openProcess(pid, windows.PROCESS_QUERY_LIMITED_INFORMATION)
	if err != nil {
		return ""
	}
	defer closeHandle(h)
	var answer struct {
		line windows.NTUnicodeString // points behind itself
		text [1 << 15]uint16         // the longest that there is
	}
	size := uint32(unsafe.Sizeof(answer))
	if windows.NtQueryInformationProcess(h, windows.ProcessCommandLineInformation, unsafe.Pointer(&answer), size, &size) != nil { //nolint:gosec // G103: the call fills a structure of ours
		return ""
	}
	return answer.line.String()
}

// naming lists the processes whose command line names the folder, this one aside.
func naming(dir string) []int {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return nil
	}
	defer closeHandle(snapshot)
	entry := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	var found []int
	for err := windows.Process32First(snapshot, &entry); err == nil; err = windows.Process32Next(snapshot, &entry) {
		if pid := int(entry.ProcessID); pid != os.Getpid() && names(pid, dir) {
			found = append(found, pid)
		}
	}
	return found
}
