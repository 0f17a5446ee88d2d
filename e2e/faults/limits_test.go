package faults

import (
	"errors"
	"fmt"
	"net"
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

// crowd is more clients than Envoy has open files for, and so more than it takes.
const crowd = openFiles / 2

// envoyIsCrowded has more clients come than Envoy's limit of open files allows. Those that are there already, which have connections to
// spare, may not notice.
func envoyIsCrowded(s *site, w *window) {
	s.load.widen(spareConnections)
	clients := s.connect(crowd)
	time.Sleep(5 * time.Second)
	away := closed(clients)
	w.note = fmt.Sprintf("%d of %d new connections closed", away, len(clients))
	if len(clients) < crowd || away == 0 || away == crowd {
		w.faults = append(w.faults, w.note)
	}
	for _, c := range clients {
		_ = c.Close()
	}
}

// closed is how many connections the other side has closed.
func closed(clients []net.Conn) (n int) {
	for _, c := range clients {
		_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			n++
		}
	}
	return n
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
