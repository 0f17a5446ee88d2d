package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"axon/state"
)

// isStored waits until the snapshot that Envoy accepted is on the disk.
func (s *site) isStored(t *testing.T) storedSnapshot {
	t.Helper()
	var found storedSnapshot
	eventually(t, "a stored snapshot", func() error {
		content, err := state.Config{Dir: s.path("state")}.Read(snapshotFile)
		if err == nil {
			err = json.Unmarshal(content, &found)
		}
		return err
	})
	return found
}

func (s *site) remove(t *testing.T, name string) (restore func()) {
	t.Helper()
	if err := os.Rename(s.path(name), s.path("away")); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Rename(s.path("away"), s.path(name)); err != nil {
			t.Fatal(err)
		}
	}
}

// ended runs Axon until Envoy's first acceptance is stored, ends both, and gives who was where.
func (s *site) ended(t *testing.T) (placement map[string]string) {
	t.Helper()
	p := s.run(t)
	s.accepted(t)
	stored := s.isStored(t)
	if status := s.axon(t, "status", "--admin", s.admin); !strings.Contains(status.out, stored.Version) {
		t.Errorf("stored is %s, and published:\n%s", stored.Version, status.out)
	}
	placement = s.placement(t)
	pid, err := s.envoyPID()
	if err != nil {
		t.Fatal(err)
	}
	p.ends(t, pid)
	return placement
}

func TestRunServesWhatWasAcceptedWhileSynapsesFilesAreNotThere(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault func(t *testing.T, s *site) (mend func())
		says  string
	}{
		"a homeserver.yaml that is not there": {
			func(t *testing.T, s *site) func() { return s.remove(t, "homeserver.yaml") }, "axon.yaml:2:12: synapse.config: DIR/homeserver.yaml: no such file",
		},
		"a worker file with a fault": {
			func(t *testing.T, s *site) func() {
				s.write(t, "workers/broken.yaml", "worker_app: synapse.app.generic_worker\nworker_name: [")
				return func() { s.remove(t, "workers/broken.yaml") }
			}, "workers/broken.yaml:2:",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.keeps(t)
			before := s.ended(t)
			mend := test.fault(t, s)

			p := s.run(t)
			s.samePlacement(t, "from the disk", before)
			s.knows(t, s.users[0]) // whoami is asked at the stored addresses
			p.says(t, "the snapshot from the disk is served until they are mended")
			status := s.axon(t, "status", "--admin", s.admin)
			for _, want := range []string{strings.ReplaceAll(test.says, "DIR", s.dir), "the snapshot from the disk, of "} {
				if !strings.Contains(status.out, want) {
					t.Errorf("axon status does not show %q:\n%s", want, status.out)
				}
			}
			if diff := cmp.Diff(map[string]float64{"": 1}, s.sample(t, "axon_config_stored")); diff != "" {
				t.Errorf("axon_config_stored (-want +got)\n%s", diff)
			}
			if got := s.axon(t, "drain", "--admin", s.admin, "sync-1"); got.code != 1 {
				t.Errorf("a worker can be drained: %s", got.out)
			}
			stop, listener := s.traffic(t), s.listenerChanges(t)
			mend()
			eventually(t, "the files", func() error {
				got, err := s.metric("axon_config_stored")
				return strError(cmp.Diff(map[string]float64{"": 0}, got), err)
			})
			s.samePlacement(t, "from the files", before)
			if diff := cmp.Diff(listener, s.listenerChanges(t)); diff != "" {
				t.Errorf("equal content woke Envoy (-before +after)\n%s", diff)
			}
			stop()
			pid, err := s.envoyPID()
			if err != nil {
				t.Fatal(err)
			}
			p.ends(t, pid)
		})
	}
}

// What can't be served is as good as nothing: the start fails as it does without a folder for the state.
func TestRunRefusesToStartFromWhatIsNotGood(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.keeps(t)
	s.ended(t)
	s.remove(t, "homeserver.yaml")
	file := s.path("state/" + snapshotFile)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stored := s.isStored(t)
	rewritten := func(change func(*storedSnapshot)) func() error {
		return func() error {
			other := stored
			change(&other)
			content, err := json.Marshal(other)
			return errors.Join(err, state.Config{Dir: s.path("state")}.Write(snapshotFile, content))
		}
	}
	for _, test := range []struct {
		name   string
		change func() error
		want   string
	}{
		{"none", func() error { return os.Remove(file) }, ""},
		{"a damaged one", func() error { return os.WriteFile(file, good[:len(good)/2], 0o600) }, "does not fit its checksum"},
		{"one of another format", rewritten(func(o *storedSnapshot) { o.Format++ }), "another Axon"},
		{"one of another version", rewritten(func(o *storedSnapshot) { o.Version = "0123456789abcdef" }), "version " + stored.Version},
		{"an empty one", rewritten(func(o *storedSnapshot) { o.Record = nil }), "an Envoy that got this would serve nothing"},
		{"one for another identity", rewritten(func(o *storedSnapshot) { o.Identity = "x" }), "identity or authz: axon.yaml has changed"},
		{"one of other listeners", rewritten(func(o *storedSnapshot) { o.Listeners = "x" }), "listeners: axon.yaml has changed"},
	} {
		if err := test.change(); err != nil {
			t.Fatal(err)
		}
		p := s.launch(t, "axon", "run", "-c", s.path("axon.yaml"))
		s.refuses(t, p, "nothing was published")
		for _, want := range []string{test.want, "synapse.config: " + s.path("homeserver.yaml") + ": no such file"} {
			if !strings.Contains(p.log(), want) {
				t.Errorf("%s: it does not say %q:\n%s", test.name, want, p.log())
			}
		}
	}
}

func TestWhatCannotBeStoredIsServedAllTheSame(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write(t, "file", "")
	s.configure(t, "envoy: {run", "state: {dir: DIR/file/state}\nenvoy: {run")
	p := s.run(t)
	p.says(t, "the accepted snapshot is not stored")
	if got := s.sample(t, "axon_state_write_failures_total")[""]; got == 0 {
		t.Error("axon_state_write_failures_total is 0")
	}
	s.samePlacement(t, "without a state", s.placement(t))
}

func TestWhatIsStoredHasNoSecretsAndIsWrittenOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.keeps(t)
	const secret = "a registration secret"
	file := s.path("homeserver.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "homeserver.yaml", string(text)+fmt.Sprintf("registration_shared_secret: %q\nmacaroon_secret_key: %q\n", secret, secret))
	p := s.run(t)
	s.accepted(t)
	s.isStored(t)
	written, err := os.Stat(s.path("state/" + snapshotFile))
	if err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGHUP)
	s.reloads(t, map[string]float64{"published": 1, "unchanged": 1})
	again, err := os.Stat(s.path("state/" + snapshotFile))
	if err != nil || !os.SameFile(written, again) {
		t.Errorf("it was written again: %v", err)
	}
	content, err := os.ReadFile(s.path("state/" + snapshotFile))
	if err != nil || strings.Contains(string(content), secret) {
		t.Errorf("a secret is in it: %v", err)
	}
	if left, err := filepath.Glob(s.path("state/.*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
