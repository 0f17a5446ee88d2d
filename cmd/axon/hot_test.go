package main

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"axon/envoy/envoytest"
)

// install puts a copy of Envoy, with more bytes at its end, in its place at once.
func (s *site) install(t *testing.T, more string) {
	t.Helper()
	content, err := os.ReadFile(envoytest.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(s.path("new"), append(content, more...), 0o700), os.Rename(s.path("new"), s.path("front"))); err != nil {
		t.Fatal(err)
	}
}

func TestRunGivesTheSocketsToANewEnvoy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.install(t, "")
	s.certify(t, 1, "crt.pem", "key.pem")
	s.configure(t, "concurrency: 1", "concurrency: 1, hot_restart: true, drain: 1s, path: DIR/front",
		"  - address: FRONT", "  - {address: FRONT, tls: {certificate: crt.pem, key: key.pem}}")
	p := s.launch(t, "axon", "run", "-c", s.path("axon.yaml"))
	s.shows(t, 1)
	before, err := s.envoyPID()
	if err != nil {
		t.Fatal(err)
	}
	answered := s.held(t)
	s.install(t, "harmless")
	for range 2 { // while it is started, and once it serves
		eventually(t, "another envoy", func() error {
			if c, _, err := s.handshake(); err != nil {
				t.Errorf("a connection failed: %v", err)
			} else {
				c.Close()
			}
			now, err := s.envoyPID()
			if err == nil && now == before {
				err = fmt.Errorf("process %d goes on", now)
			}
			return err
		})
		p.says(t, "shutting down admin due to child startup")
		p.says(t, "closing and draining listeners")
	}
	answered()
	s.ends(t, p, limit)
	if alive(before) {
		t.Error("the older envoy was left")
	}
}
