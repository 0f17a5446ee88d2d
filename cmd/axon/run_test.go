package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"axon/envoy/envoytest"
)

func TestRunSendsRequestsWhereTheyBelong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.run(t)
	u := s.users[0]
	syncWorker := s.explained(t, http.MethodGet, syncNow, u)
	s.knows(t, u)
	const room = "/_matrix/client/v3/rooms/!room:example.org"
	for name, test := range map[string]struct {
		method, target, token string
		headers               []string
		want                  answer
	}{
		"a sync goes to its user's worker, by the user that the token names": {
			method: http.MethodGet, target: syncNow, token: u.native,
			want: answer{200, syncWorker, u.id, "127.0.0.1"},
		},
		"and so does that of a device whose token names nobody": {
			method: http.MethodGet, target: syncNow, token: u.opaque,
			want: answer{200, syncWorker, u.id, "127.0.0.1"},
		},
		"a token in the query is as good": {
			method: http.MethodGet, target: syncNow + "&access_token=" + u.opaque,
			want: answer{200, syncWorker, u.id, "127.0.0.1"},
		},
		"a forged identity is replaced": {
			method: http.MethodGet, target: syncNow, token: u.native,
			headers: []string{"X-User-Identifier", s.users[1].id, "x-user-identifier", s.users[2].id, "X-Axon-Affinity", "dXNlcjI"},
			want:    answer{200, syncWorker, u.id, "127.0.0.1"},
		},
		"a forged identity is removed where there is no token": {
			method: http.MethodGet, target: "/_matrix/client/versions",
			headers: []string{"X-User-Identifier", u.id, "X-Axon-Affinity", "dXNlcjI"},
			want:    answer{200, "event-creator-1", "", "127.0.0.1"},
		},
		"a client does not say where it comes from": {
			method: http.MethodGet, target: "/_matrix/client/versions", headers: []string{"X-Forwarded-For", "192.0.2.1"},
			want: answer{200, "event-creator-1", "", "127.0.0.1"},
		},
		"a first sync stays apart": {
			method: http.MethodGet, target: "/_matrix/client/v3/sync?timeout=0", token: u.native,
			want: answer{200, "initial-sync-1", u.id, "127.0.0.1"}, // where there are sync workers to take over, one is chosen by the user
		},
		"an event goes to the event creator": {
			method: http.MethodPut, target: room + "/send/m.room.message/1", token: u.native,
			want: answer{200, "event-creator-1", "", "127.0.0.1"},
		},
		"typing goes to the writer of the stream": {
			method: http.MethodPut, target: room + "/typing/" + u.id, token: u.native,
			want: answer{200, "typing-1", "", "127.0.0.1"},
		},
		"a transaction goes to the federation worker": {
			method: http.MethodPut, target: "/_matrix/federation/v1/send/1",
			headers: []string{"Authorization", `X-Matrix origin="remote.org",key="ed25519:1",sig="x"`},
			want:    answer{200, "federation-1", "", "127.0.0.1"},
		},
		"what nothing else is for goes to main": {
			method: http.MethodPost, target: "/_matrix/client/v3/logout", token: u.native,
			want: answer{200, "main", "", "127.0.0.1"},
		},
		"a path with dot segments goes nowhere": {
			method: http.MethodGet, target: "/_matrix/client/..%2f_synapse/admin", want: answer{status: 400},
		},
		"Synapse's admin interface is for nobody": {
			method: http.MethodGet, target: "/_synapse/admin/v1/rooms", token: u.native, want: answer{status: 404},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.ask(test.method, test.target, test.token, test.headers...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(answer{})); diff != "" {
				t.Error(diff)
			}
		})
	}
	s.statusIsWhole(t)
	s.secondAxonRefuses(t)
	pid, err := s.envoyPID()
	if err != nil {
		t.Fatal(err)
	}
	p.ends(t, pid)
}

// explained is the worker that axon explain names for a request of a user.
func (s *site) explained(t *testing.T, method, target string, u user) string {
	t.Helper()
	var explained struct{ Worker string }
	got := s.axon(t, "explain", "-c", s.path("axon.yaml"), "--json", "--user", u.id, method, target)
	if err := json.Unmarshal([]byte(got.out), &explained); err != nil {
		t.Fatalf("%v: %s", err, got.err)
	}
	return explained.Worker
}

// statusIsWhole reads axon status --json as a script would.
func (s *site) statusIsWhole(t *testing.T) {
	t.Helper()
	var status struct {
		Snapshot struct{ Version string }
		Workers  []struct{ Name string }
		Envoys   []struct {
			NodeID string `json:"node_id"`
			Types  map[string]struct{ Current bool }
		}
		Cache struct{ Entries string }
	}
	got := s.axon(t, "status", "--admin", s.admin, "--json")
	if err := json.Unmarshal([]byte(got.out), &status); err != nil {
		t.Fatalf("%v: %s", err, got.err)
	}
	if len(status.Workers) != len(s.workers) || len(status.Envoys) != 1 || status.Snapshot.Version == "" || status.Cache.Entries == "0" {
		t.Fatalf("axon status --json: %s", got.out)
	}
	types := status.Envoys[0].Types
	for _, name := range []string{"listener", "route", "cluster", "endpoint"} {
		if !types[name].Current {
			t.Errorf("axon status --json: %s is not current: %s", name, got.out)
		}
	}
}

// secondAxonRefuses runs the same axon.yaml again, which harms neither.
func (s *site) secondAxonRefuses(t *testing.T) {
	t.Helper()
	second := s.launch(t, "axon", "run", "-c", s.path("axon.yaml"))
	if code := second.exit(t); code != 1 {
		t.Errorf("a second axon: exit code %d", code)
	}
	for _, want := range []string{s.path("authz.sock"), s.path("xds.sock"), s.admin} {
		if !strings.Contains(second.log(), want+": another process is listening there") {
			t.Errorf("a second axon does not say that %s is in use", want)
		}
	}
	if status := s.axon(t, "status", "--admin", s.admin); !strings.Contains(status.out, " current ") {
		t.Errorf("after a second axon: %s%s", status.out, status.err)
	}
}

// ends tells Axon to end and sees that nothing is left of it and of Envoy.
func (p *process) ends(t *testing.T, envoy int) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if code := p.exit(t); code != 0 {
		t.Errorf("axon run ended with exit code %d", code)
	}
	if alive(envoy) {
		t.Errorf("envoy %d still runs", envoy)
	}
}

func TestRunTakesOverTheEnvoyThatAKilledAxonLeft(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := s.run(t)
	before := s.placement(t)
	pid, err := s.envoyPID()
	if err != nil {
		t.Fatal(err)
	}
	first.kill()
	s.samePlacement(t, "without axon", before)
	forged, err := s.ask(http.MethodGet, syncNow, s.users[0].native, "X-User-Identifier", s.users[1].id)
	if err != nil || forged.user != "" {
		t.Errorf("without axon a forged identity got through: %v, %v", forged, err)
	}

	stop := s.traffic(t)
	second := s.run(t)
	now, err := s.envoyPID()
	if err != nil || now != pid {
		t.Errorf("envoy is process %d (%v), was %d", now, err, pid)
	}
	second.says(t, fmt.Sprintf("took over envoy pid %d", pid))
	s.knows(t, s.users[0])
	s.samePlacement(t, "with axon again", before)
	stop()
	second.ends(t, pid)
}

func TestRunStartsAKilledEnvoyAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.run(t)
	before := s.placement(t)
	pid, err := s.envoyPID()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another envoy", func() error {
		if now, err := s.envoyPID(); err != nil || now == pid {
			return fmt.Errorf("process %d, %w", now, err)
		}
		return nil
	})
	s.await(t, p)
	s.samePlacement(t, "behind another envoy", before)
	restarts, err := s.metric("axon_envoy_restarts_total")
	if diff := cmp.Diff(map[string]float64{"": 1}, restarts); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if pid, err = s.envoyPID(); err != nil {
		t.Fatal(err)
	}
	p.ends(t, pid)
}

func TestRunServesWithoutIdentityWhereWhoamiFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.run(t)
	all := func(do func(name string)) {
		for name := range s.workers {
			do(name)
		}
	}
	for name, test := range map[string]struct {
		user  user
		fails func(on bool)
	}{
		"it hangs":       {s.users[0], func(on bool) { all(func(name string) { s.workers[name].Hang(on) }) }},
		"it answers 500": {s.users[1], func(on bool) { all(func(name string) { s.workers[name].Fail(on) }) }},
	} {
		t.Run(name, func(t *testing.T) {
			test.fails(true)
			for _, token := range []string{test.user.opaque, test.user.native} {
				a, err := s.ask(http.MethodGet, syncNow, token)
				if err != nil || a.status != http.StatusOK || a.user != "" {
					t.Errorf("a sync meanwhile: %v, %v", a, err)
				}
			}
			test.fails(false)
			s.knows(t, test.user)
		})
	}
	pid, err := s.envoyPID()
	if err != nil {
		t.Fatal(err)
	}
	p.ends(t, pid)
}

func TestRunServesAnEnvoyOfTheOperatorsOwn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.configure(t, "unix:DIR/xds.sock", freeAddress(t), "unix:DIR/authz.sock", freeAddress(t), "run: true", "run: false")
	bootstrap := s.axon(t, "bootstrap", "-c", s.path("axon.yaml"))
	s.write(t, "bootstrap.yaml", bootstrap.out)
	envoy := s.launch(t, envoytest.Binary(t), "-c", s.path("bootstrap.yaml"), "--disable-hot-restart", "--concurrency", "1")
	p := s.run(t) // it may well come after Envoy
	before := s.placement(t)
	s.knows(t, s.users[0])
	p.kill()
	s.samePlacement(t, "without axon", before)
	p = s.run(t)
	s.knows(t, s.users[1])
	p.signal(t, syscall.SIGTERM)
	if code := p.exit(t); code != 0 {
		t.Errorf("axon run ended with exit code %d", code)
	}
	if !alive(envoy.command.Process.Pid) {
		t.Error("axon ended an envoy that is not its own")
	}
	s.samePlacement(t, "after axon", before)
}
