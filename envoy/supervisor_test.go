package envoy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestSupervisorStartsEnvoyAgain(t *testing.T) {
	f := newFixture(t)
	r := f.run(t)
	r.waitReady(t)
	first := r.supervisor.PID()
	r.waitLog(t, `"component":"envoy"`, `"logger":"main"`, "starting main dispatch loop")
	if got := f.fetch(t); got != http.StatusOK {
		t.Fatalf("status %d", got)
	}
	r.waitLog(t, "access log of /") // on a descriptor that Envoy opened by itself
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "another process", func() bool { pid := r.supervisor.PID(); return pid != 0 && pid != first })
	r.waitReady(t)
	r.waitLog(t, "envoy ended by itself", "signal: killed")
	if got := testutil.ToFloat64(r.supervisor.restarts); got != 1 {
		t.Errorf("axon_envoy_restarts_total %v, want 1", got)
	}
	last := r.supervisor.PID()
	r.stop(t)
	f.nothingLeft(t, first, last)
}

func TestSupervisorTakesOverAfterACrash(t *testing.T) {
	f := newFixture(t)
	pid := f.crash(t)
	if err := f.admin(t).Ready(t.Context()); err != nil {
		t.Fatalf("envoy after the crash: %v", err)
	}
	if got := f.fetch(t); got != http.StatusOK {
		t.Fatalf("status %d", got)
	}
	r := f.run(t)
	r.waitLog(t, "took over envoy pid")
	if got := r.supervisor.PID(); got != pid {
		t.Errorf("pid %d, want %d", got, pid)
	}
	r.waitLog(t, "access log of /") // written while no Axon was there
	if strings.Contains(r.log.String(), "starting main dispatch loop") {
		t.Error("a line that the first Axon passed on was passed on again")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "another process", func() bool { p := r.supervisor.PID(); return p != 0 && p != pid })
	r.waitReady(t)
	last := r.supervisor.PID()
	r.stop(t)
	f.nothingLeft(t, pid, last)
}

func TestSupervisorEndsWhatItTookOver(t *testing.T) {
	f := newFixture(t)
	pid := f.crash(t)
	r := f.run(t)
	r.waitLog(t, "took over envoy pid")
	r.stop(t)
	f.nothingLeft(t, pid)
}

func TestSupervisorReplacesAnEnvoyThatIsNotAsConfigured(t *testing.T) {
	f := newFixture(t)
	pid := f.crash(t)
	f.config.Concurrency = 1
	r := f.run(t)
	r.waitLog(t, "replacing it", "started envoy")
	r.waitReady(t)
	last := r.supervisor.PID()
	if last == pid {
		t.Errorf("pid %d is still there", pid)
	}
	r.stop(t)
	f.nothingLeft(t, pid, last)
}

func TestSupervisorKillsAnEnvoyThatDoesNotAnswer(t *testing.T) {
	f := newFixture(t)
	pid := f.crash(t)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	r := f.run(t)
	r.waitLog(t, "does not answer", "started envoy")
	r.waitReady(t)
	last := r.supervisor.PID()
	r.stop(t)
	f.nothingLeft(t, pid, last)
}

func TestSupervisorDrains(t *testing.T) {
	tests := map[string]struct {
		end  func(*fixture, *running)
		want int // status of the request in flight; 0: cut
	}{
		"a request in flight ends in peace":  {end: func(f *fixture, _ *running) { close(f.release) }, want: http.StatusOK},
		"who is in a hurry cuts the request": {end: func(_ *fixture, r *running) { r.supervisor.Hurry() }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			r := f.run(t)
			r.waitReady(t)
			pid := r.supervisor.PID()
			answer := make(chan *http.Response, 1)
			go func() { answer <- f.get("/slow") }()
			waitFor(t, "a request in flight", func() bool { n, err := f.admin(t).InFlight(t.Context()); return err == nil && n == 1 })
			r.cancel()
			waitFor(t, "new connections to be refused", func() bool {
				_, err := net.Dial("tcp", f.public)
				return errors.Is(err, syscall.ECONNREFUSED)
			})
			tt.end(f, r)
			switch res := <-answer; {
			case res == nil && tt.want != 0:
				t.Error("the request was cut")
			case res != nil && (res.StatusCode != tt.want || !res.Close):
				t.Errorf("status %d, close %v; want %d, true", res.StatusCode, res.Close, tt.want)
			}
			r.stop(t)
			f.nothingLeft(t, pid)
		})
	}
}

func TestSupervisorRefuses(t *testing.T) {
	tests := map[string]struct {
		spoil func(*testing.T, *fixture)
		want  []string
	}{
		"an admin port of somebody else": {
			spoil: func(t *testing.T, f *fixture) {
				l, err := net.Listen("tcp", f.config.Admin)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = l.Close() })
			},
			want: []string{"envoy.admin: ", "in use by another process"},
		},
		"a folder that cannot be": {
			spoil: func(t *testing.T, f *fixture) {
				file := filepath.Join(t.TempDir(), "file")
				if err := os.WriteFile(file, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				f.config.Dir = filepath.Join(file, "folder")
			},
			want: []string{"envoy.dir: ", "not a directory", "may write to"},
		},
		"a bootstrap that Envoy refuses": {
			spoil: func(_ *testing.T, f *fixture) { f.bootstrap.StaticResources.Clusters[0].Name = "other" },
			want:  []string{"bootstrap: ", "unknown cluster 'upstream'"},
		},
		"a state file that says nothing": {
			spoil: func(t *testing.T, f *fixture) {
				if err := os.WriteFile(filepath.Join(f.config.Dir, stateName), []byte("{"), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{stateName, "remove the file"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			tt.spoil(t, f)
			err := f.supervisor(t, &logBuffer{}).Run(t.Context())
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestTwoSupervisorsDoNotShareAFolder(t *testing.T) {
	f := newFixture(t)
	r := f.run(t)
	r.waitReady(t)
	err := f.supervisor(t, &logBuffer{}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "another axon") {
		t.Errorf("second: %v", err)
	}
	r.stop(t)
}

func TestSupervisorWithACancelledContextStartsNothing(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.supervisor(t, &logBuffer{}).Run(ctx); err != nil {
		t.Error(err)
	}
	f.nothingLeft(t)
}

// waitFor waits until a condition holds; the limit is only there to end a test that would hang.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
