package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A listener at a port that another process has is what only a running Envoy finds out.
func TestRunGoesBackToWhatEnvoyAccepted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.run(t)
	s.accepted(t)
	before, listener := s.placement(t), s.listenerChanges(t)
	stop := s.traffic(t)

	taken := freeAddress(t)
	listen(t, taken)
	second := "- address: FRONT\n  - address: "
	s.configure(t, "- address: FRONT", second+taken)
	s.reloads(t, map[string]float64{"published": 1, "refused_by_envoy": 1})
	for what, command := range map[string][]string{"status": {"status"}, "reload": {"reload"}} {
		got := s.axon(t, append(command, "--admin", s.admin)...)
		if text := got.out + got.err; !strings.Contains(text, `envoy "axon" refused the listener update`) || !strings.Contains(text, "Address already in use") {
			t.Errorf("axon %s does not show Envoy's words:\n%s", what, text)
		}
	}
	p.says(t, "all go back to the last accepted one")
	s.accepted(t)
	if status := s.get(s.admin, "/readyz"); status != 200 {
		t.Errorf("/readyz: %d", status)
	}
	if diff := cmp.Diff(map[string]float64{"": 1}, s.sample(t, "axon_xds_rollbacks_total")); diff != "" {
		t.Errorf("roll-backs (-want +got)\n%s", diff)
	}
	s.samePlacement(t, "after a refusal", before)

	free := freeAddress(t)
	s.configure(t, "- address: FRONT", second+free)
	eventually(t, "a second listener", func() error { return s.versions(free) })
	s.accepted(t)
	after := s.listenerChanges(t)
	if n := after["listener_manager.listener_modified"] - listener["listener_manager.listener_modified"]; n != 0 {
		t.Errorf("the first listener was changed %d times", n)
	}
	stop()
}

// accepted waits until Envoy holds what is published.
func (s *site) accepted(t *testing.T) {
	t.Helper()
	eventually(t, "acceptance", func() error {
		got, err := s.metric("axon_xds_snapshot_accepted")
		if diff := cmp.Diff(map[string]float64{"": 1}, got); diff != "" || err != nil {
			return strError(diff, err)
		}
		return nil
	})
}

func (s *site) sample(t *testing.T, name string) map[string]float64 {
	t.Helper()
	got, err := s.metric(name)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// A new configuration is refused by the Envoy of an earlier Axon, which goes back to what that one saw accepted.
func TestRunGoesBackToWhatEnvoyAcceptedBeforeIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.keeps(t)
	first := s.run(t)
	s.accepted(t)
	s.isStored(t)
	before := s.placement(t)
	first.kill()
	stop := s.traffic(t)

	taken := freeAddress(t)
	listen(t, taken)
	s.keeps(t, "- address: FRONT", "- address: FRONT\n  - address: "+taken)
	second := s.launch(t, "axon", "run", "-c", s.path("axon.yaml"))
	second.says(t, "an envoy refused the configuration")
	s.accepted(t)
	s.samePlacement(t, "after a refusal", before)
	s.knows(t, s.users[0])
	stop()
}

// keeps writes an axon.yaml with a folder for the state.
func (s *site) keeps(t *testing.T, pairs ...string) {
	t.Helper()
	s.configure(t, append(pairs, "envoy: {run", "state: {dir: DIR/state}\nenvoy: {run")...)
}

func TestEnvoyHasAChangeAndNoOtherListener(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run(t)
	listener, poll := s.listenerChanges(t), s.poll(t, 20_000)
	for range 3 {
		moved := s.typist(t)
		began := time.Now()
		s.write(t, "workers/typing-1.yaml", moved.yaml)
		eventually(t, "a moved worker", func() error { return s.types(t, moved) })
		t.Logf("a moved worker gets requests after %s", time.Since(began).Round(time.Millisecond))
	}
	if diff := cmp.Diff(listener, s.listenerChanges(t)); diff != "" {
		t.Errorf("the listener has changed (-before +after)\n%s", diff)
	}
	if err := <-poll; err != nil {
		t.Error(err)
	}
}
