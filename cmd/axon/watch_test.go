package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"axon/demo/standin"
)

func strError(diff string, err error) error {
	if diff == "" {
		return err
	}
	return errors.Join(err, errors.New(diff))
}

func (s *site) versions(address string) error {
	if status := s.get(address, "/_matrix/client/versions"); status != 200 {
		return fmt.Errorf("versions: %d", status)
	}
	return nil
}

// typist is the writer of a stream at a new port, and the file that says so.
type typist struct {
	worker *standin.Worker
	yaml   string
}

func (s *site) typist(t *testing.T) typist {
	t.Helper()
	port := s.start(t, "typing-1", standin.Client)
	return typist{s.workers["typing-1"], fmt.Sprintf(workerYAML, "typing-1", port, standin.Client)}
}

// types sends a request that only the writer may have.
func (s *site) types(t *testing.T, w typist) error {
	t.Helper()
	u := s.users[0]
	_, err := s.ask(http.MethodPut, "/_matrix/client/v3/rooms/!room:example.org/typing/"+u.id, u.native)
	if err == nil && w.worker.Served(standin.Typing) == 0 {
		err = errors.New("it went elsewhere")
	}
	return err
}

func TestFilesThatVanishLeaveTheLastGoodPlan(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run(t)
	s.accepted(t)
	before, changes := s.placement(t), s.sample(t, "axon_xds_acks_total")
	stop := s.traffic(t)
	for i, gone := range []string{"homeserver.yaml", "axon.yaml"} {
		if err := os.Rename(s.path(gone), s.path("away")); err != nil {
			t.Fatal(err)
		}
		want := map[string]float64{"published": 1, "refused": float64(i + 1)}
		if i > 0 {
			want["unchanged"] = float64(i)
		}
		s.reloads(t, want)
		s.samePlacement(t, "without "+gone, before)
		if err := os.Rename(s.path("away"), s.path(gone)); err != nil {
			t.Fatal(err)
		}
		want["unchanged"] = float64(i + 1)
		s.reloads(t, want)
	}
	if diff := cmp.Diff(changes, s.sample(t, "axon_xds_acks_total")); diff != "" {
		t.Errorf("equal content woke Envoy (-before +after)\n%s", diff)
	}
	stop()
}

// A folder of workers that is empty may be one that is not mounted yet. Who has no workers names none.
func TestMainServesEverythingOnlyWhereNoWorkersAreNamed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write(t, "homeserver.yaml", fmt.Sprintf("server_name: example.org\nlisteners:\n"+
		"  - {type: http, port: %d, bind_addresses: [127.0.0.1], resources: [{names: [client, federation]}]}\n",
		s.start(t, standin.Main, standin.Client, standin.Federation)))
	s.run(t)
	before, listener := s.placement(t), s.listenerChanges(t)
	stop := s.traffic(t)
	if err := errors.Join(os.Rename(s.path("workers"), s.path("away")), os.Mkdir(s.path("workers"), 0o700)); err != nil {
		t.Fatal(err)
	}
	s.atLeast(t, "refused", 1)
	s.samePlacement(t, "with an empty folder", before)

	s.configure(t, "  workers: [workers]\n", "")
	eventually(t, "main alone", func() error {
		if got := slices.Collect(maps.Values(s.placement(t))); slices.ContainsFunc(got, func(w string) bool { return w != standin.Main }) {
			return fmt.Errorf("syncs at %v", got)
		}
		return nil
	})
	if err := errors.Join(os.Remove(s.path("workers")), os.Rename(s.path("away"), s.path("workers"))); err != nil {
		t.Fatal(err)
	}
	s.configure(t)
	eventually(t, "all workers", func() error { return strError(cmp.Diff(before, s.placement(t)), nil) })
	if diff := cmp.Diff(listener, s.listenerChanges(t)); diff != "" {
		t.Errorf("the listener has changed (-before +after)\n%s", diff)
	}
	stop()
}

func TestManyReloadsLeakNothingAndCutNoPoll(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.run(t)
	s.write(t, "workers/typing-1.yaml", s.typist(t).yaml)
	s.reloads(t, map[string]float64{"published": 2})
	s.accepted(t)
	listener, poll := s.listenerChanges(t), s.poll(t, 3600_000)
	before := p.holds(t, s)
	const times = 12
	moved := [2]string{s.typist(t).yaml, s.typist(t).yaml}
	for i := range times {
		s.write(t, "workers/typing-1.yaml", moved[i%2])
		if got := s.axon(t, "reload", "--admin", s.admin); got.code != 0 {
			t.Fatalf("reload %d: %s", i, got.err)
		}
	}
	s.accepted(t)
	select {
	case err := <-poll:
		t.Errorf("the poll was cut: %v", err)
	default:
	}
	eventually(t, "what axon holds", func() error {
		after := p.holds(t, s)
		for what, n := range after {
			if n > before[what]+8 { // connections come and go
				return fmt.Errorf("%s: %v before, %v after", what, before[what], n)
			}
		}
		return nil
	})
	if diff := cmp.Diff(listener, s.listenerChanges(t)); diff != "" {
		t.Errorf("the listener has changed (-before +after)\n%s", diff)
	}
	p.signal(t, syscall.SIGKILL)
}

// holds counts what a process could leak.
func (p *process) holds(t *testing.T, s *site) map[string]float64 {
	t.Helper()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]float64{"goroutines": s.sample(t, "go_goroutines")[""], "descriptors": float64(len(fds))}
}

func TestWhichFoldersAreWatched(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	err = errors.Join(os.MkdirAll(at("real/v1"), 0o700), os.WriteFile(at("real/v1/a.yaml"), nil, 0o600),
		os.Symlink("v1", at("real/current")), os.Symlink("current/a.yaml", at("real/a.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		path string
		want []string
	}{
		"a folder":                             {"real/v1", []string{"real/v1"}},
		"a file":                               {"real/v1/a.yaml", []string{"real/v1"}},
		"a file that is not there":             {"real/v1/b.yaml", []string{"real/v1"}},
		"a file in folders that are not there": {"real/v2/x/b.yaml", []string{"real"}},
		"a file behind a link to its folder":   {"real/current/a.yaml", []string{"real/current", "real/v1", "real"}},
		"a link to a file behind another link": {"real/a.yaml", []string{"real", "real/v1"}},
		"a folder that is a link":              {"real/current", []string{"real/current", "real", "real"}},
	} {
		t.Run(name, func(t *testing.T) {
			var want []string
			for _, folder := range test.want {
				want = append(want, at(folder))
			}
			if diff := cmp.Diff(want, foldersOf(at(test.path))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestFilesInFoldersThatComeLaterAreFollowed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.configure(t, "[workers]", "[releases/current/workers]", "run: true", "run: false")
	release := func(name string, w typist) {
		folder := "releases/" + name + "/workers"
		if err := os.MkdirAll(s.path(folder), 0o700); err != nil {
			t.Fatal(err)
		}
		s.write(t, folder+"/typing-1.yaml", w.yaml)
		fresh := s.path("releases/fresh")
		if err := errors.Join(os.Symlink(name, fresh), os.Rename(fresh, s.path("releases/current"))); err != nil {
			t.Fatal(err)
		}
	}
	release("1", s.typist(t))
	s.launch(t, "axon", "run", "-c", s.path("axon.yaml"))
	s.reloads(t, map[string]float64{"published": 1})
	began := time.Now()
	release("2", s.typist(t))
	s.reloads(t, map[string]float64{"published": 2})
	t.Logf("a link that was turned is noticed after %s", time.Since(began)) // half a second, on a machine that has time
}
