package faults

import (
	"errors"
	"syscall"
	"time"
)

// killAxon kills Axon and starts it again.
func killAxon(s *site, w *window) { s.replaceAxon(w, func() {}) }

// replaceAxon kills Axon, does something, and starts it again. In between nobody knows whose opaque tokens are.
func (s *site) replaceAxon(w *window, whenDown func()) {
	s.t.Helper()
	w.blind = true
	if err := s.axon.Kill(); err != nil {
		s.t.Fatal(err)
	}
	whenDown()
	time.Sleep(3 * time.Second)
	s.startAxon()
	s.serves()
}

// killEnvoy takes all that it carries with it, and refuses what comes until Axon has started it again.
func killEnvoy(s *site, w *window) {
	before, err := s.envoyPID()
	if err != nil {
		s.t.Fatal(err)
	}
	from := time.Now()
	w.closed = []span{{from: from}}
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	s.until("another envoy", func() error {
		if now, err := s.envoyPID(); err != nil || now == before {
			return errors.Join(err, errors.New("none yet"))
		}
		return nil
	})
	s.serves()
	w.closed[0].to = time.Now()
	w.note = "away for " + time.Since(from).Round(10*time.Millisecond).String()
}
