package envoy

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A process is an Envoy that runs: a child of this Axon, or one that an earlier Axon left behind.
type process struct {
	pid    int
	start  uint64 // see startTime
	signal func(syscall.Signal) error
	exited chan struct{} // closed when it has ended
	how    string        // it ended; to be read after exited
}

// startProcess runs a command that outlives Axon: in a session of its own, where neither Ctrl-C in Axon's terminal nor
// Axon's end reaches it, with its output on a file that needs no reader.
func startProcess(path string, args []string, output *os.File, orphan bool) (*process, error) {
	cmd := exec.Command(path, args...) //nolint:noctx // it has to outlive every context
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if orphan && os.Getpid() != 1 { // the first process of a container has no parent to give
		return startOrphan(cmd)
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{pid: cmd.Process.Pid, exited: make(chan struct{})}
	p.signal = func(s syscall.Signal) error { return cmd.Process.Signal(s) }
	p.start, _ = startTime(p.pid) // 0 if it has ended already, which nobody will take over
	go func() {
		_ = cmd.Wait()
		p.how = cmd.ProcessState.String()
		close(p.exited)
	}()
	return p, nil
}

// startOrphan gives a process Axon's own parent. An Envoy that can be restarted hot asks the kernel to be ended together with its
// parent (PR_SET_PDEATHSIG in its hot_restart_impl.cc, seen on 1.40), and would not survive a crash of Axon else.
func startOrphan(cmd *exec.Cmd) (*process, error) {
	fd := -1
	cmd.SysProcAttr.Cloneflags, cmd.SysProcAttr.PidFD = unix.CLONE_PARENT, &fd
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	pid := cmd.Process.Pid
	start, _ := startTime(pid) // as above
	return held(pid, start, fd), cmd.Process.Release()
}

// adoptProcess gets hold of a process by its pid; nil if that is gone, or another one by now.
func adoptProcess(pid int, start uint64) (*process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pidfd of process %d: %w", pid, err)
	}
	// The file descriptor holds on to one process, so it is only now that the start time proves which one.
	if found, err := startTime(pid); err != nil || found != start {
		return nil, unix.Close(fd)
	}
	return held(pid, start, fd), nil
}

// held is a process that is not a child, by its pidfd.
func held(pid int, start uint64, fd int) *process {
	p := &process{pid: pid, start: start, exited: make(chan struct{}), how: "ended (not a child: without a status)"}
	p.signal = func(s syscall.Signal) error { return unix.PidfdSendSignal(fd, s, nil, 0) }
	go p.watch(fd)
	return p
}

// watch waits for the end of a process that is not a child. The descriptor stays open, for who may still want to signal;
// it is one for each process taken over.
func (p *process) watch(fd int) {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			close(p.exited)
			return
		}
	}
}

func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

var errEnded = errors.New("has ended")

// startTime is when a process started, in clock ticks since boot: with the pid it names a process for good (proc(5), field 22
// of /proc/PID/stat). A zombie counts as ended.
func startTime(pid int) (uint64, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	// The second field is a name in parentheses that may hold spaces and parentheses itself.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	if state := fields[0]; state == "Z" || state == "X" {
		return 0, fmt.Errorf("process %d: %w", pid, errEnded)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}
