package faults

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// axonHasNoFiles leaves Axon not a file descriptor more than it has, while users log in and the configuration changes. It
// has to read the change afterwards.
func axonHasNoFiles(s *site, w *window) {
	lift := s.limit(w, s.axon.PID, 0)
	s.wellKnown(1)
	s.logIn(w, 5*time.Second)
	lift()
	s.until("the change that Axon had no file descriptor for", func() error { return s.tells(1) })
	s.reloading("published", func() { s.write("axon.yaml", s.axonYAML()) })
}

// envoyHasNoFiles leaves Envoy a few file descriptors more than it has, while more clients come than that.
func envoyHasNoFiles(s *site, w *window) {
	pid, err := s.envoyPID()
	if err != nil {
		s.t.Fatal(err)
	}
	lift := s.limit(w, pid, 20)
	clients := s.connect(100)
	time.Sleep(5 * time.Second)
	for _, c := range clients {
		_ = c.Close()
	}
	if now, _ := s.envoyPID(); now != pid {
		w.faults = append(w.faults, "envoy ended")
		return
	}
	lift()
}

// limit bounds the file descriptors of a process to as many more than it has, and gives what lifts the limit.
func (s *site) limit(w *window, pid, more int) (lift func()) {
	s.t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	var before unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		s.t.Fatal(err)
	}
	bound := unix.Rlimit{Cur: uint64(len(open) + more), Max: before.Max}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &bound, nil); err != nil {
		s.t.Fatal(err)
	}
	w.note = fmt.Sprintf("%d in use", len(open))
	return func() {
		s.t.Helper()
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &before, nil); err != nil && !errors.Is(err, syscall.ESRCH) {
			s.t.Fatal(err)
		}
	}
}
