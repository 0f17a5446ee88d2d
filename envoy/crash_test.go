package envoy

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSupervisorSaysWhyEnvoyKeepsEnding(t *testing.T) {
	f := hot(t)
	f.config.HotRestart = false // a child's status is known
	f.wrap(t, `case "$*" in *validate*) ;; *)
  echo "[2026-01-02T03:04:05.678+00:00][critical][main] error adding listener: cannot bind '0.0.0.0:443': Permission denied"
  exit 1;; esac`)
	r := f.run(t)
	r.waitLog(t, "envoy keeps ending: nothing is served", `"times":5`, "CAP_NET_BIND_SERVICE", `"how":"exit status 1"`, "cannot bind '0.0.0.0:443'")
	if got := strings.Count(r.log.String(), "keeps ending"); got != 1 {
		t.Errorf("said %d times", got)
	}
	r.stop(t)
	f.nothingLeft(t)
}

func TestLikelyCause(t *testing.T) {
	tests := map[string]struct {
		how   string
		words []string
		want  string
	}{
		"the latest word that is understood":    {"exit status 1", []string{"cannot bind: Address already in use", "exiting"}, "has one of its addresses"},
		"a word before the status":              {"signal: killed", []string{"Too many open files"}, "limit of open files"},
		"the status where there are no words":   {"signal: killed", nil, "dmesg"},
		"a start that did not come to a status": {"envoy.admin: 127.0.0.1:9901 is in use by another process", nil, "has one of its addresses"},
		"a crash":                               {"signal: segmentation fault (core dumped)", nil, "a fault of this build"},
		"a bootstrap that it does not know":     {"exit status 1", []string{"error initializing configuration '/run/axon/x': no such field"}, "refuses its bootstrap"},
		"nothing that is known":                 {"exit status 9", []string{"x"}, "unknown"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := likelyCause(tt.how, tt.words); !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestCrashLoopEndsWithALongRun(t *testing.T) {
	c := &crashLoop{}
	var got []int
	for _, ran := range []time.Duration{0, 0, time.Hour, 0} {
		c.ended(time.Now().Add(-ran))
		got = append(got, c.ends)
	}
	if diff := cmp.Diff([]int{1, 2, 1, 2}, got); diff != "" {
		t.Error(diff)
	}
}

func TestLastWordsAreFewAndShort(t *testing.T) {
	w := &lastWords{}
	for range 2 * keptWords {
		w.add(strings.Repeat("é", longestWord))
	}
	last := w.last()
	if len(last) != keptWords || len(last[0]) > longestWord+len("…") || !strings.HasSuffix(last[0], "é…") {
		t.Errorf("%q", last)
	}
}

func TestSupervisorKillsAnEnvoyThatHangsAtTheEnd(t *testing.T) {
	f := newFixture(t)
	f.config.Drain = time.Second
	r := f.run(t)
	r.waitReady(t)
	pid := r.supervisor.PID()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r.stop(t)
	if took := time.Since(began); took > f.config.Drain+killAfter+3*time.Second {
		t.Errorf("took %s", took)
	}
	r.waitLog(t, "envoy does not end: killing it")
	f.nothingLeft(t, pid)
}

func TestValidateRemovesWhatAKilledAxonLeft(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for name, age := range map[string]time.Duration{"stale": 3 * validateTimeout, "fresh": 0} {
		folder := filepath.Join(dir, validateDir+name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "envoy.json"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-age)
		if err := os.Chtimes(folder, then, then); err != nil {
			t.Fatal(err)
		}
	}
	if err := Validate(t.Context(), realEnvoy(t), static()); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if diff := cmp.Diff([]string{filepath.Join(dir, validateDir+"fresh")}, left); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
