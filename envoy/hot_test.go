package envoy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// hot makes a fixture restart hot, from a binary of its own, in a folder with a name that is short enough.
func hot(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	dir, err := os.MkdirTemp("", "axon")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Cleanup(f.killLeft)
	f.config.Dir, f.config.HotRestart, f.config.Concurrency = filepath.Join(dir, "run"), true, 2
	f.config.Drain = 2 * time.Second // an older one has the whole of it
	if err := os.Mkdir(f.config.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	original := f.binary
	f.binary = filepath.Join(dir, "envoy")
	install(t, original, f.binary, "")
	return f
}

// install puts a copy of a binary, with more bytes at its end, in its place at once.
func install(t *testing.T, from, to, more string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	fresh := to + ".new"
	if err := errors.Join(os.WriteFile(fresh, append(content, more...), 0o700), os.Rename(fresh, to)); err != nil {
		t.Fatal(err)
	}
}

// requests asks the listener on new connections until the function that it gives is called, which tells of failures.
func (f *fixture) requests(t *testing.T) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for asked, failed := 0, 0; ; asked++ {
				select {
				case <-done:
					if failed > 0 || asked == 0 {
						t.Errorf("%d of %d requests failed", failed, asked)
					}
					return
				case <-time.After(2 * time.Millisecond):
				}
				if res := f.get("/"); res == nil || res.StatusCode != http.StatusOK {
					failed++
				}
			}
		})
	}
	return sync.OnceFunc(func() { close(done); asking.Wait() })
}

// poll holds a request, and gives the function that waits for its status; 0: it was cut.
func (f *fixture) poll(t *testing.T) (status func() int) {
	t.Helper()
	answer := make(chan int, 1)
	go func() {
		if res := f.get("/slow"); res != nil {
			answer <- res.StatusCode
			return
		}
		answer <- 0
	}()
	waitFor(t, "a request in flight", func() bool { n, err := f.admin(t).InFlight(t.Context()); return err == nil && n >= 1 })
	return func() int { return <-answer }
}

func (r *running) waitPID(t *testing.T, before int) int {
	t.Helper()
	waitFor(t, "another process", func() bool { pid := r.supervisor.PID(); return pid != 0 && pid != before })
	return r.supervisor.PID()
}

func (f *fixture) noSharedMemory(t *testing.T, id uint32) {
	t.Helper()
	if _, err := os.Stat(fmt.Sprintf("/dev/shm/envoy_shared_memory_%d0", id)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("shared memory left: %v", err)
	}
}

// The names are those that Envoy 1.40 gave its sockets for these base ids.
func TestParentSocketIsEnvoys(t *testing.T) {
	s := &Supervisor{config: Config{Dir: "/run"}}
	for want, got := range map[string]string{
		"/run/hot_parent_2018915411":           s.parentSocket(201891541, 4),
		"/run/hot_parent_18446744072092549960": s.parentSocket(267796564, 0),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestSupervisorHandsOverToANewBinary(t *testing.T) {
	f := hot(t)
	r := f.run(t)
	r.waitReady(t)
	first := r.supervisor.PID()
	id, err := r.supervisor.baseID()
	if err != nil {
		t.Fatal(err)
	}
	status, stop := f.poll(t), f.requests(t)
	install(t, f.binary, f.binary, "harmless")
	second := r.waitPID(t, first)
	time.Sleep(500 * time.Millisecond) // of requests to the new one
	stop()
	info, err := f.admin(t).ServerInfo(t.Context())
	if err != nil || info.GetCommandLineOptions().GetRestartEpoch() != 1 {
		t.Errorf("epoch %d, %v", info.GetCommandLineOptions().GetRestartEpoch(), err)
	}
	if got := testutil.ToFloat64(r.supervisor.restarts); got != 0 {
		t.Errorf("axon_envoy_restarts_total %v", got)
	}
	close(f.release)
	if got := status(); got != http.StatusOK {
		t.Errorf("the held request got %d", got)
	}
	if !processAlive(first) {
		t.Error("the older envoy has not been left its time")
	}
	r.stop(t)
	f.nothingLeft(t, first, second)
	f.noSharedMemory(t, id)
}

func TestSupervisorTakesASecondChangeWhenTheFirstIsOver(t *testing.T) {
	f := hot(t)
	r := f.run(t)
	r.waitReady(t)
	first := r.supervisor.PID()
	install(t, f.binary, f.binary, "one")
	second := r.waitPID(t, first)
	stop := f.requests(t)
	install(t, f.binary, f.binary, "two")
	r.waitLog(t, "the change waits for that")
	if err := syscall.Kill(first, syscall.SIGTERM); err != nil { // as its successor does in the end
		t.Fatal(err)
	}
	third := r.waitPID(t, second)
	stop()
	r.stop(t)
	f.nothingLeft(t, first, second, third)
}

func TestSupervisorLeavesATouchedBinaryAlone(t *testing.T) {
	f := hot(t)
	r := f.run(t)
	r.waitReady(t)
	first := r.supervisor.PID()
	before, err := loadState(f.config.Dir)
	if err != nil {
		t.Fatal(err)
	}
	install(t, f.binary, f.binary, "")
	waitFor(t, "the binary to be looked at", func() bool {
		now, err := loadState(f.config.Dir)
		return err == nil && now.Digest != before.Digest
	})
	if got := r.supervisor.PID(); got != first {
		t.Errorf("pid %d, want %d", got, first)
	}
	r.stop(t)
	f.nothingLeft(t, first)
}

func TestSupervisorHandsOverWhatACrashedAxonLeft(t *testing.T) {
	f := hot(t)
	first := f.crash(t)
	time.Sleep(200 * time.Millisecond) // an Envoy that is ended with its parent would be gone
	status, stop := f.poll(t), f.requests(t)
	f.config.LogLevel = "warning"
	r := f.run(t)
	second := r.waitPID(t, 0)
	if second == first {
		second = r.waitPID(t, first)
	}
	stop()
	close(f.release)
	if got := status(); got != http.StatusOK {
		t.Errorf("the held request got %d", got)
	}
	r.stop(t)
	f.nothingLeft(t, first, second)
}

// stranger is a binary that is no partner for the one that runs.
func stranger(t *testing.T, f *fixture) {
	t.Helper()
	f.wrap(t, `[ "$1" = --hot-restart-version ] && { echo 12.0; exit; }`)
}

// wrap puts a script in the binary's place that does something else before it becomes the real one.
func (f *fixture) wrap(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	envoy, fresh := filepath.Join(dir, "envoy"), filepath.Join(filepath.Dir(f.binary), "fresh")
	install(t, f.binary, envoy, "")
	script = fmt.Sprintf("#!/bin/sh\n%s\nexec %s \"$@\"\n", script, envoy)
	if err := errors.Join(os.WriteFile(fresh, []byte(script), 0o700), os.Rename(fresh, f.binary)); err != nil {
		t.Fatal(err)
	}
}

func TestSupervisorGoesOnWithAnEnvoyThatCannotHandOver(t *testing.T) {
	f := hot(t)
	r := f.run(t)
	r.waitReady(t)
	first := r.supervisor.PID()
	stop := f.requests(t)
	stranger(t, f)
	r.waitLog(t, "goes on serving", "has the hot restart version 12.0, and the envoy that runs")
	stop()
	if got := r.supervisor.PID(); got != first {
		t.Errorf("pid %d, want %d", got, first)
	}
	r.stop(t)
	f.nothingLeft(t, first)
}

func TestSupervisorGoesOnWithTheOldEnvoyWhenTheNewOneEnds(t *testing.T) {
	f := hot(t)
	r := f.run(t)
	r.waitReady(t)
	first := r.supervisor.PID()
	stop := f.requests(t)
	f.wrap(t, `case "$*" in *--restart-epoch*) exit 3;; esac`)
	r.waitLog(t, "the new envoy has ended")
	stop()
	if got := r.supervisor.PID(); got != first {
		t.Errorf("pid %d, want %d", got, first)
	}
	r.stop(t)
	f.nothingLeft(t, first)
}

func TestSupervisorReplacesAnEnvoyThatCannotHandOver(t *testing.T) {
	f := hot(t)
	first := f.crash(t)
	stranger(t, f)
	r := f.run(t)
	r.waitLog(t, "a hot restart of envoy is not possible", "replacing it", "started envoy")
	r.waitReady(t)
	second := r.supervisor.PID()
	r.stop(t)
	f.nothingLeft(t, first, second)
}

func TestSupervisorStartsAnEnvoyAgainThatCouldHandOver(t *testing.T) {
	f := hot(t)
	r := f.run(t)
	r.waitReady(t)
	first := r.supervisor.PID()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := r.waitPID(t, first)
	r.waitReady(t)
	install(t, f.binary, f.binary, "harmless")
	third := r.waitPID(t, second)
	r.stop(t)
	f.nothingLeft(t, first, second, third)
}

func processAlive(pid int) bool {
	_, err := startTime(pid)
	return err == nil
}

func TestHotVersionSaysWhatIsNoEnvoy(t *testing.T) {
	_, err := hotVersion(context.Background(), "/nonexistent/envoy")
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/envoy --hot-restart-version") {
		t.Error(err)
	}
}
