// Package process runs the children of a test: servers that must end with it, however it ends.
package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// Process is a child that never outlives the test binary: it is ended by Stop or Kill, or by the kernel when the binary
// dies of a panic or a time-out, which run no cleanup.
type Process struct {
	PID  int
	Done <-chan struct{} // closed when the child has ended

	cmd  *exec.Cmd
	done chan struct{}
}

// Start starts cmd in a process group of its own, with its output in the file at log. When the test binary dies, the
// kernel sends farewell.
func Start(cmd *exec.Cmd, log string, farewell syscall.Signal) (*Process, error) {
	output, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = farewell

	done := make(chan struct{})
	p := &Process{Done: done, cmd: cmd, done: done}
	started := make(chan error)
	go p.watch(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	p.PID = cmd.Process.Pid
	return p, nil
}

// watch keeps its thread to itself: Linux sends the farewell when the thread that started the child ends
// (go.dev/issue/27505).
func (p *Process) watch(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = p.cmd.Wait() // a child that is killed has failed, and nobody asks
	close(p.done)
}

// Alive says whether the child has not ended.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Stop sends the signal to the child, and kills its process group when it has not ended after patience.
func (p *Process) Stop(signal syscall.Signal, patience time.Duration) error {
	if !p.Alive() {
		return nil
	}
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(patience):
		return p.Kill()
	}
}

// Kill ends the child and all that it forked into its group, at once.
func (p *Process) Kill() error {
	err := syscall.Kill(-p.PID, syscall.SIGKILL)
	<-p.done
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}
