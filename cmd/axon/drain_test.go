package main

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"testing"

	"axon/demo/standin"
)

func TestRunLetsAPollEndBeforeItEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.run(t)
	pid, err := s.envoyPID()
	if err != nil {
		t.Fatal(err)
	}
	poll := s.poll(t, 3000)
	p.ends(t, pid)
	if err := <-poll; err != nil {
		t.Error(err)
	}
}

func TestRunCutsAPollAtASecondSignal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.configure(t, "concurrency: 1", "concurrency: 1, drain: 1h")
	p := s.run(t)
	pid, err := s.envoyPID()
	if err != nil {
		t.Fatal(err)
	}
	poll := s.poll(t, 3600_000)
	p.signal(t, syscall.SIGTERM)
	p.says(t, "draining envoy")
	p.ends(t, pid)
	if err := <-poll; err == nil {
		t.Error("the poll ended by itself")
	}
}

// poll begins a sync that is held for so many milliseconds, and gives what becomes of it once it is.
func (s *site) poll(t *testing.T, ms int) <-chan error {
	t.Helper()
	u := s.users[0]
	worker := s.workers[s.explained(t, http.MethodGet, syncNow, u)]
	held := worker.Served(standin.Sync)
	ended := make(chan error, 1)
	go func() {
		a, err := s.ask(http.MethodGet, fmt.Sprintf("/_matrix/client/v3/sync?since=s1&timeout=%d", ms), u.native)
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("the poll was answered %d", a.status)
		}
		ended <- err
	}()
	eventually(t, "a poll", func() error {
		if worker.Served(standin.Sync) == held {
			return errors.New("has not arrived")
		}
		return nil
	})
	return ended
}
