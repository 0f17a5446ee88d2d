package synapse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Kill ends a process of the homeserver as a crash would, and returns when it is gone. Main's name is main.
func (hs *Homeserver) Kill(name string) {
	hs.t.Helper()
	hs.Signal(name, syscall.SIGKILL)
	pid := hs.PID(name)
	for !gone(pid) {
		time.Sleep(10 * time.Millisecond)
	}
}

// Signal sends a signal to a process: SIGSTOP for one that hangs, SIGCONT for one that goes on, SIGTERM for one that is
// restarted politely.
func (hs *Homeserver) Signal(name string, signal syscall.Signal) {
	hs.t.Helper()
	pid := hs.PID(name)
	if err := syscall.Kill(pid, signal); err != nil {
		hs.t.Fatalf("signal %q (process %d): %v", name, pid, err)
	}
}

// Restart starts a process again that has ended, with its old addresses, and returns when it answers.
func (hs *Homeserver) Restart(name string) {
	hs.t.Helper()
	at := hs.find(name)
	p, err := hs.launch(append([]string{"-m"}, hs.arguments(at)...), filepath.Join(hs.Dir, "log", name+".out"))
	if err != nil {
		hs.t.Fatalf("restart %q: %v", name, err)
	}
	hs.mu.Lock()
	at.pid = p.PID
	hs.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), bootLimit)
	defer cancel()
	if err := at.await(ctx); err != nil {
		hs.t.Fatalf("restart: %v", err)
	}
}

// PID is the process of a worker, or of main.
func (hs *Homeserver) PID(name string) int {
	hs.t.Helper()
	at := hs.find(name)
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return at.pid
}

// Endpoint is where a process takes clients' requests, past any front door: http://127.0.0.1:port. A worker on a unix
// socket, or without a listener for clients, has none.
func (hs *Homeserver) Endpoint(name string) string {
	hs.t.Helper()
	at := hs.find(name)
	if at.Port == 0 {
		hs.t.Fatalf("worker %q has no port for clients", name)
	}
	return at.url()
}

// Names lists the processes, main first.
func (hs *Homeserver) Names() []string {
	names := make([]string, len(hs.instances))
	for n, at := range hs.instances {
		names[n] = at.Name
	}
	return names
}

func (hs *Homeserver) find(name string) *instance {
	hs.t.Helper()
	n := slices.IndexFunc(hs.instances, func(at *instance) bool { return at.Name == name })
	if n < 0 {
		hs.t.Fatalf("no worker %q among %v", name, hs.Names())
	}
	return hs.instances[n]
}

// findProcesses tells the launcher's children apart, which all have its command line, by the log that each keeps open.
func (hs *Homeserver) findProcesses(launcher int) error {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", launcher, launcher))
	if err != nil {
		return err
	}
	for _, child := range strings.Fields(string(children)) {
		pid, err := strconv.Atoi(child)
		if err != nil {
			return err
		}
		opened := openFiles(pid)
		for _, at := range hs.instances {
			if opened[at.logPath()] {
				at.pid = pid
			}
		}
	}
	var faults []error
	for _, at := range hs.instances {
		if at.pid == 0 {
			faults = append(faults, fmt.Errorf("worker %q: no process has %s open", at.Name, at.logPath()))
		}
	}
	return errors.Join(faults...)
}

func openFiles(pid int) map[string]bool {
	opened := map[string]bool{}
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil {
			opened[target] = true
		}
	}
	return opened
}

// gone reports whether the process has ended. The launcher collects its children late: one that is dead and not yet
// collected (state Z) is gone.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}
