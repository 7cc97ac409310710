package browser

import (
	"os"
	"os/exec"
)

// process is a started browser, what ends it as a whole, and our ends of its pipes.
type process struct {
	pid     int
	in, out *os.File // to and from the browser; nil when the plan has no pipe
	stderr  *os.File
	exited  chan struct{} // closed when the program itself has ended and was reaped
	clean   bool          // it ended by itself and without complaint; to be read once exited is closed
	held    held          // what the system needs beside pid to end it as a whole
}

// start acts on the plan, whose files have been prepared. The caller ends the process, waits for exited and then
// releases it.
func start(plan Plan) (*process, error) {
	var theirs, ours []*os.File
	pipe := func() (r, w *os.File, err error) {
		if r, w, err = os.Pipe(); err == nil {
			theirs = append(theirs, r, w) // whichever end is ours is taken out below
		}
		return r, w, err
	}
	closeAll := func(files []*os.File) {
		for _, f := range files {
			f.Close()
		}
	}
	p := &process{exited: make(chan struct{})}
	var in, out *os.File
	errR, errW, err := pipe()
	if err == nil && plan.Pipe != NoPipe {
		if in, p.in, err = pipe(); err == nil {
			p.out, out, err = pipe()
		}
	}
	if err == nil {
		err = keepBack(theirs)
	}
	if err != nil {
		closeAll(theirs)
		return nil, err
	}
	p.stderr = errR
	theirs, ours = []*os.File{errW}, []*os.File{errR}
	if in != nil {
		theirs, ours = append(theirs, in, out), append(ours, p.in, p.out)
	}
	cmd := exec.Command(plan.Path)
	cmd.Env, cmd.Dir, cmd.Stderr = plan.Env, plan.Dir, errW
	p.held, err = startHeld(cmd, plan, in, out)
	closeAll(theirs)
	if err != nil {
		closeAll(ours)
		return nil, err
	}
	p.pid = cmd.Process.Pid
	go func() { // ends with the process, which the caller sees to
		p.clean = cmd.Wait() == nil
		close(p.exited)
	}()
	return p, nil
}

// release closes what the client of the pipes does not own. Whatever of a job still lives ends with it.
func (p *process) release() {
	p.stderr.Close()
	p.held.release()
}
