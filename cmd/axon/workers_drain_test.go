package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"axon/demo/standin"
	"axon/envoy/envoytest"
	"axon/state"
)

func TestADrainCutsNothingAndMovesNobodyElse(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]func(*site) string{
		"where workers have addresses":                 func(*site) string { return "" },
		"where workers have names that Envoy resolves": (*site).named,
		"where Maglev balances":                        func(*site) string { return "balance: maglev\n" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.configure(t, "ADMIN}\n", "ADMIN}\nstate: {dir: DIR/state}\n"+more(s))
			s.run(t)
			before, listener := s.placement(t), s.listenerChanges(t)
			stop := s.traffic(t)
			worker := before[s.users[0].id]
			poll := s.poll(t, 30_000)
			kept := s.pollElsewhere(t, before, worker, 30_000)

			short := s.axon(t, "drain", worker, "--admin", s.admin, "--timeout", "1s")
			if short.code != 1 || !strings.Contains(short.err, "it stays drained") {
				t.Errorf("a time-out: %+v", short)
			}
			select {
			case err := <-poll:
				t.Fatalf("the poll ended with the drain that did not wait for it: %v", err)
			default:
			}
			s.left(t, before, worker)
			drained := s.axon(t, "drain", worker, "--admin", s.admin)
			if drained.code != 0 || !strings.Contains(drained.out, worker+" is empty\n") {
				t.Errorf("%+v", drained)
			}
			select {
			case err := <-poll:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(time.Second): // Envoy hears of the end of an answer before the client's program does
				t.Error("the drain ended before the poll")
			}
			s.left(t, before, worker)
			if now := s.workerStatus(t, worker); now.DrainedAt == "" || now.Traffic.InFlight != 0 || !now.Traffic.Draining {
				t.Errorf("axon status: %+v", now)
			}

			back := s.axon(t, "undrain", worker, "--admin", s.admin)
			if back.code != 0 || !strings.Contains(back.out, worker+" is healthy\n") {
				t.Errorf("%+v", back)
			}
			s.back(t, before)
			if err := <-kept; err != nil {
				t.Errorf("a poll at another worker: %v", err)
			}
			stop()
			if diff := cmp.Diff(listener, s.listenerChanges(t)); diff != "" {
				t.Errorf("the listener has changed (-before +after)\n%s", diff)
			}
		})
	}
}

// named overrules the workers' addresses by names of this machine (RFC 6761): their clusters are then STRICT_DNS.
func (s *site) named() string {
	s.names = true
	var text strings.Builder
	text.WriteString("topology:\n  workers:\n")
	for name, w := range s.workers {
		if name != standin.Main {
			fmt.Fprintf(&text, "    - {name: %s, address: \"%s.localhost:%d\"}\n", name, name, w.Port())
		}
	}
	return text.String()
}

func TestDrainsSurviveAKilledAxonAndAReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.configure(t, "ADMIN}\n", "ADMIN}\nstate: {dir: DIR/state}\n")
	first := s.run(t)
	before := s.placement(t)
	if got := s.axon(t, "drain", "sync-1", "--admin", s.admin); got.code != 0 || strings.Contains(got.out, "outlive") {
		t.Errorf("%+v", got)
	}
	s.left(t, before, "sync-1")
	first.kill()
	s.left(t, before, "sync-1")
	second := s.run(t)
	s.left(t, before, "sync-1")
	if now := s.workerStatus(t, "sync-1"); now.DrainedAt == "" {
		t.Errorf("after a restart: %+v", now)
	}
	if got := s.axon(t, "topology", "-c", s.path("axon.yaml")); !strings.Contains(got.out, "sync-1 (drained)") || !strings.Contains(got.out, " drained ") {
		t.Errorf("axon topology: %s", got.out)
	}

	// A reload keeps the drain, also of a worker that leaves meanwhile.
	file, err := os.ReadFile(s.path("workers/sync-1.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.path("workers/sync-1.yaml")); err != nil {
		t.Fatal(err)
	}
	if got := s.axon(t, "reload", "--admin", s.admin); got.code != 0 || !strings.HasPrefix(got.out, "published: snapshot ") {
		t.Errorf("%+v", got)
	}
	if now := s.workerStatus(t, "sync-1"); !now.Missing {
		t.Errorf("a drained worker that left: %+v", now)
	}
	if got := s.axon(t, "status", "--admin", s.admin); !strings.Contains(got.out, ", not in the configuration") {
		t.Errorf("axon status: %s", got.out)
	}
	s.write(t, "workers/sync-1.yaml", string(file))
	if got := s.axon(t, "reload", "--admin", s.admin, "--json"); got.code != 0 || !strings.Contains(got.out, `"result": "published"`) {
		t.Errorf("%+v", got)
	}
	s.left(t, before, "sync-1")

	if got := s.axon(t, "undrain", "sync-1", "--admin", s.admin); got.code != 0 {
		t.Errorf("%+v", got)
	}
	s.samePlacement(t, "after undrain", before)
	second.kill()
	s.run(t)
	s.samePlacement(t, "after another restart", before)
}

func TestADamagedFileOfDrainsIsNoReasonNotToServe(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.configure(t, "ADMIN}\n", "ADMIN}\nstate: {dir: DIR}\n")
	s.write(t, drainsFile, "[]\n")
	p := s.run(t)
	p.says(t, "no worker is drained, because the file of earlier drains can't be read")
	if got := s.axon(t, "explain", "-c", s.path("axon.yaml"), "GET", syncNow); got.code != 0 || !strings.Contains(got.err, "warning: which workers are drained: ") {
		t.Errorf("%+v", got)
	}
	if got := s.axon(t, "drain", "sync-1", "--admin", s.admin, "--no-wait"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if got, err := readDrained(state.Config{Dir: s.dir}); err != nil || len(got) != 1 {
		t.Errorf("after a drain the file has %v, %v", got, err)
	}
}

func TestWhatDrainAndReloadRefuse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run(t)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"an unknown worker":                 {[]string{"drain", "sync-9"}, `worker "sync-9": unknown; there are event-creator-1, federation-1, `},
		"main":                              {[]string{"drain", "main"}, "main can't be drained"},
		"the only writer of a stream":       {[]string{"drain", "typing-1"}, "no other process would be left to serve typing, and Envoy would answer 503; --force"},
		"to undrain what nobody knows":      {[]string{"undrain", "sync-9"}, `worker "sync-9": unknown`},
		"a file with a fault, to reload it": {[]string{"reload"}, "broken.yaml:1:"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.args[0] == "reload" {
				s.write(t, "workers/broken.yaml", "{\n")
			}
			got := s.axon(t, append(test.args, "--admin", s.admin)...)
			if got.code != 1 || !strings.Contains(got.err, test.want) || got.out != "" {
				t.Errorf("%+v", got)
			}
		})
	}
	forced := s.axon(t, "drain", "typing-1", "--force", "--admin", s.admin, "--json")
	var view drainView
	if err := json.Unmarshal([]byte(forced.out), &view); forced.code != 0 || err != nil || !view.Empty || view.InFlight == nil {
		t.Errorf("%v: %+v", err, forced)
	}
	if len(view.Notes) != 1 || !strings.Contains(view.Notes[0], "state.dir names no folder") {
		t.Errorf("notes without state.dir: %q", view.Notes)
	}
	if _, err := s.ask(http.MethodPut, "/_matrix/client/v3/rooms/!r:example.org/typing/@a:b", s.users[0].native); err == nil {
		t.Error("a drained writer got a request")
	}
	status := s.axon(t, "status", "--admin", s.admin)
	if !strings.Contains(status.out, "warning: all processes that may serve typing are drained") {
		t.Errorf("axon status: %s", status.out)
	}
	if got := s.axon(t, "undrain", "typing-1", "--admin", s.admin); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if got := s.axon(t, "undrain", "typing-1", "--admin", s.admin); got.code != 0 || !strings.Contains(got.out, "was not drained") {
		t.Errorf("%+v", got)
	}
}

func TestTwoEnvoysHaveNoNumbersInCommon(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.run(t)
	if now := s.workerStatus(t, "sync-1"); now.Traffic == nil || now.Traffic.Health != "healthy" {
		t.Errorf("with one envoy: %+v", now)
	}
	bootstrap := s.axon(t, "bootstrap", "-c", s.path("axon.yaml"))
	s.write(t, "bootstrap.yaml", strings.ReplaceAll(bootstrap.out, s.path("envoy.sock"), s.path("second.sock")))
	s.launch(t, envoytest.Binary(t), "-c", s.path("bootstrap.yaml"), "--disable-hot-restart", "--concurrency", "1")
	p.says(t, "envoy connected")
	eventually(t, "axon status", func() error {
		status := s.axon(t, "status", "--admin", s.admin)
		if !strings.Contains(status.out, "are not known: 2 Envoys are connected") {
			return errors.New(status.out)
		}
		return nil
	})
	got := s.axon(t, "drain", "sync-1", "--admin", s.admin, "--timeout", "1s")
	if got.code != 1 || !strings.Contains(got.err, "requests under way: unknown, 2 Envoys are connected") {
		t.Errorf("%+v", got)
	}
}

// left waits until a worker's users are elsewhere, and nobody else is. Where workers have addresses that is so at once; Envoy takes a
// cluster with names into use when it has resolved the first of them, and the others' users are elsewhere until theirs is.
func (s *site) left(t *testing.T, before map[string]string, worker string) {
	t.Helper()
	check := func() error {
		var faults []error
		for id, now := range s.placement(t) {
			if was := before[id]; now == worker || was != worker && now != was {
				faults = append(faults, fmt.Errorf("%s is drained: %s moved from %s to %s", worker, id, was, now))
			}
		}
		return errors.Join(faults...)
	}
	if s.names {
		eventually(t, "placement", check)
	} else if err := check(); err != nil {
		t.Error(err)
	}
	for _, u := range s.users[:3] {
		if now, err := s.ask(http.MethodGet, syncNow, u.native); err != nil || now.worker != s.explained(t, http.MethodGet, syncNow, u) {
			t.Errorf("axon explain does not agree with Envoy, which sends %s to %s, %v", u.id, now.worker, err)
		}
	}
}

// back waits until everybody is where he was, in the same way.
func (s *site) back(t *testing.T, before map[string]string) {
	t.Helper()
	if !s.names {
		s.samePlacement(t, "after undrain", before)
		return
	}
	eventually(t, "placement", func() error {
		if diff := cmp.Diff(before, s.placement(t)); diff != "" {
			return errors.New(diff)
		}
		return nil
	})
}

// pollElsewhere begins a poll of a user of another worker.
func (s *site) pollElsewhere(t *testing.T, before map[string]string, worker string, ms int) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	for _, u := range s.users {
		if before[u.id] == worker {
			continue
		}
		go func() {
			_, err := s.ask(http.MethodGet, fmt.Sprintf("/_matrix/client/v3/sync?since=s1&timeout=%d", ms), u.native)
			ended <- err
		}()
		return ended
	}
	t.Fatal("all users are on one worker")
	return nil
}

// workerStatus is what axon status --json says of a worker.
type workerStatus struct {
	Name      string
	DrainedAt string `json:"drained_at"`
	Missing   bool
	Traffic   *struct {
		Health           string
		InFlight         int `json:"in_flight"`
		Requests, Errors string
		Draining         bool
	}
}

func (s *site) workerStatus(t *testing.T, name string) workerStatus {
	t.Helper()
	got := s.axon(t, "status", "--admin", s.admin, "--json")
	var status struct{ Workers []workerStatus }
	if err := json.Unmarshal([]byte(got.out), &status); err != nil {
		t.Fatalf("%v: %s", err, got.err)
	}
	for _, w := range status.Workers {
		if w.Name == name {
			return w
		}
	}
	t.Fatalf("axon status does not know %s: %s", name, got.out)
	return workerStatus{}
}
