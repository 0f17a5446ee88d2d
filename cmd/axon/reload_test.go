package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"axon/demo/standin"
	"axon/envoy"
	"axon/envoy/envoytest"
)

func TestRunFollowsItsFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.run(t)
	before, listener := s.placement(t), s.listenerChanges(t)
	stop := s.traffic(t)
	s.noise(t)
	file := fmt.Sprintf(workerYAML, "sync-4", s.start(t, "sync-4", standin.Client), standin.Client)

	s.write(t, "workers/sync-4.yaml", file+"  - {type: http\n")
	s.reloads(t, map[string]float64{"published": 1, "refused": 1})
	status := s.axon(t, "status", "--admin", s.admin)
	for _, want := range []string{"refused; the last good one is in force", s.path("workers/sync-4.yaml:5:"), " current "} {
		if !strings.Contains(status.out, want) {
			t.Errorf("axon status does not show %q:\n%s", want, status.out)
		}
	}
	s.samePlacement(t, "after a fault", before)

	s.write(t, "workers/sync-4.yaml", file)
	s.reloads(t, map[string]float64{"published": 2, "refused": 1})
	eventually(t, "traffic to a new worker", func() error {
		if s.workers["sync-4"].Served(standin.Sync) == 0 {
			return errors.New("none")
		}
		return nil
	})
	s.onlyMovedTo(t, "sync-4", before)
	status = s.axon(t, "status", "--admin", s.admin)
	if strings.Contains(status.out, "refused;") || !strings.Contains(status.out, "sync-4") {
		t.Errorf("axon status after the fault was mended:\n%s", status.out)
	}

	p.signal(t, syscall.SIGHUP)
	s.reloads(t, map[string]float64{"published": 2, "refused": 1, "unchanged": 1})

	if err := os.Remove(s.path("workers/sync-4.yaml")); err != nil {
		t.Fatal(err)
	}
	s.reloads(t, map[string]float64{"published": 3, "refused": 1, "unchanged": 1})
	eventually(t, "users who are back", func() error {
		if diff := cmp.Diff(before, s.placement(t)); diff != "" {
			return errors.New(diff)
		}
		return nil
	})
	if diff := cmp.Diff(listener, s.listenerChanges(t)); diff != "" {
		t.Errorf("the listener has changed (-before +after)\n%s", diff)
	}
	stop()
}

func TestRunFollowsTheLinksOfAConfigMap(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.configure(t, "[workers]", "[mounted]", "run: true", "run: false")
	s.mount(t, "..1", s.workers["typing-1"].Port())
	if err := os.Symlink("..data/typing-1.yaml", s.path("mounted/typing-1.yaml")); err != nil {
		t.Fatal(err)
	}
	s.launch(t, "axon", "run", "-c", s.path("axon.yaml"))
	s.reloads(t, map[string]float64{"published": 1})
	s.mount(t, "..2", s.start(t, "typing-1", standin.Client))
	s.reloads(t, map[string]float64{"published": 2})
}

// mount puts typing-1.yaml where the kubelet does: into a new folder, to which the link ..data is then turned at once.
func (s *site) mount(t *testing.T, folder string, port int) {
	t.Helper()
	if err := os.MkdirAll(s.path("mounted/"+folder), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write(t, "mounted/"+folder+"/typing-1.yaml", fmt.Sprintf(workerYAML, "typing-1", port, standin.Client))
	fresh := s.path("mounted/..fresh")
	if err := errors.Join(os.Symlink(folder, fresh), os.Rename(fresh, s.path("mounted/..data"))); err != nil {
		t.Fatal(err)
	}
}

// reloads waits for as many readings of the configuration, by result, and no more: a reading must not lead to another.
func (s *site) reloads(t *testing.T, want map[string]float64) {
	t.Helper()
	eventually(t, "readings", func() error {
		got := map[string]float64{}
		results, err := s.metric("axon_config_reloads_total")
		for labels, n := range results {
			got[strings.TrimSuffix(strings.TrimPrefix(labels, `{result="`), `"}`)] = n
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return errors.Join(err, errors.New(diff))
		}
		return err
	})
}

// noise writes a line after the other beside axon.yaml until the test ends: none of them may lead to a reading, nor put
// one off.
func (s *site) noise(t *testing.T) {
	t.Helper()
	log, err := os.Create(s.path("noise.log"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		defer log.Close()
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				_, _ = log.WriteString("a line\n")
			}
		}
	})
	t.Cleanup(func() { close(done); running.Wait() })
}

// onlyMovedTo sees that nobody moved but to a worker.
func (s *site) onlyMovedTo(t *testing.T, worker string, before map[string]string) {
	t.Helper()
	after := s.placement(t)
	maps.DeleteFunc(after, func(_, now string) bool { return now == worker })
	for user := range after {
		if after[user] != before[user] {
			t.Errorf("%s moved from %s to %s, not to %s", user, before[user], after[user], worker)
		}
	}
}

// listenerChanges are Envoy's counters of what was done to its listeners.
func (s *site) listenerChanges(t *testing.T) map[string]uint64 {
	t.Helper()
	admin, err := envoy.NewAdmin("unix:" + s.path("envoy.sock"))
	if err != nil {
		t.Fatal(err)
	}
	changes, err := admin.Stats(t.Context(), `^listener_manager\.(listener_.*|lds\.update_(success|rejected|failure))$`)
	if err != nil || len(changes) == 0 {
		t.Fatal(changes, err)
	}
	return changes
}

// An Envoy that can't be asked now, because there is no memory or no file descriptor for it, is asked again, though no file changes.
func TestRunJudgesAgainWhatItCouldNotJudge(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	script := fmt.Sprintf("#!/bin/sh\n[ -e %s ] && kill -9 $$\nexec %s \"$@\"\n", s.path("ill"), envoytest.Binary(t))
	if err := os.WriteFile(s.path("sick"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	s.configure(t, "run: true", "run: true, path: DIR/sick")
	s.run(t)
	s.write(t, "ill", "")
	s.configure(t, "run: true", "run: true, path: DIR/sick", "listeners:", "well_known: {server: \"a.example.org:443\"}\nlisteners:")
	s.atLeast(t, "refused", 1)
	if err := os.Remove(s.path("ill")); err != nil {
		t.Fatal(err)
	}
	s.atLeast(t, "published", 2)
}

// atLeast waits for so many readings with a result.
func (s *site) atLeast(t *testing.T, result string, n float64) {
	t.Helper()
	eventually(t, "readings", func() error {
		results, err := s.metric("axon_config_reloads_total")
		if got := results[fmt.Sprintf("{result=%q}", result)]; got < n {
			return errors.Join(err, fmt.Errorf("%g are %s", got, result))
		}
		return err
	})
}
