package browser

import (
	"os/exec"
	"runtime"
	"syscall"
)

// tied is a started browser that the kernel ends with this process: nothing else would tell it that Stead is gone.
type tied struct{ *process }

// startTied runs the plan in a process group of its own, with no file of ours. The kernel kills it when the thread that
// started it ends, so that thread does nothing else from there on.
func startTied(plan Plan) (*tied, error) {
	if err := keepBack(nil); err != nil {
		return nil, err
	}
	cmd := exec.Command(plan.Path, plan.Args...)
	cmd.Env, cmd.Dir = plan.Env, plan.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	t := &tied{process: &process{exited: make(chan struct{})}}
	started := make(chan error)
	go func() { // ends with the process, which Close sees to
		runtime.LockOSThread() // and never unlocked: the thread ends with this function
		err := cmd.Start()
		if err == nil {
			t.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			t.clean = cmd.Wait() == nil
			close(t.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return t, nil
}

// ask tells the browser to end. One that has ended is not asked: its number may be another process's by now.
func (t *tied) ask() {
	select {
	case <-t.exited:
	default:
		_ = syscall.Kill(t.pid, syscall.SIGTERM) // it may just have ended
	}
}
