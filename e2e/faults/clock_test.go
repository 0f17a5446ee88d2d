package faults

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"axon/e2e/synapse"
)

// A Go program reads the clock without asking the C library or the kernel, so that nobody outside of it can turn it; and the
// clock of the machine is everybody's. So this axon is built with a package time whose wall clock, and no other, is turned by
// what a file says was its last change: like a real one that is set, it leaves timers and what measures time alone.
const (
	turned = `
package time

import (
	"sync/atomic"
	"syscall"
)

var turned atomic.Int64 // seconds

func init() {
	if clock, ok := syscall.Getenv("AXON_CLOCK"); ok {
		go follow(clock)
	}
}

func follow(clock string) {
	for ; ; Sleep(20 * Millisecond) {
		var file syscall.Stat_t
		if syscall.Stat(clock, &file) == nil {
			turned.Store(file.Mtim.Sec)
		}
	}
}
`
	nowReads = "\tsec, nsec, mono := runtimeNow()\n\tif mono == 0 {"
	nowTurns = "\tsec, nsec, mono := runtimeNow()\n\tsec += turned.Load()\n\tif mono == 0 {"
)

// turnable is the axon whose clock can be turned.
const turnable = "bin/axon-clock"

// buildTurnable takes minutes the first time, when everything that knows package time is built anew.
func buildTurnable(s *site) {
	s.t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		s.t.Fatal(err)
	}
	folder := filepath.Join(strings.TrimSpace(string(out)), "src", "time")
	text, err := os.ReadFile(filepath.Join(folder, "time.go"))
	if err != nil {
		s.t.Fatal(err)
	}
	if strings.Count(string(text), nowReads) != 1 {
		s.t.Fatalf("%s: time.Now is not what it was in Go 1.26", folder)
	}
	// Always the same place, so that Go's cache knows what it has built.
	cache := filepath.Join(synapse.Root(s.t), ".cache", "faults")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(folder, "time.go"): filepath.Join(cache, "time.go"), filepath.Join(folder, "turned.go"): filepath.Join(cache, "turned.go"),
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		s.t.Fatal(err)
	}
	for name, content := range map[string]string{
		"time.go": strings.Replace(string(text), nowReads, nowTurns, 1), "turned.go": turned, "overlay.json": string(overlay),
	} {
		if err := os.WriteFile(filepath.Join(cache, name), []byte(content), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	command := exec.Command("go", "build", "-buildvcs=false", "-overlay", filepath.Join(cache, "overlay.json"), "-o", s.path(turnable), "axon/cmd/axon")
	command.Dir, command.Env = synapse.Root(s.t), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// turn sets Axon's clock to as much after the real one.
func (s *site) turn(by time.Duration) {
	s.t.Helper()
	at := time.Unix(int64(by/time.Second), 0)
	if err := os.Chtimes(s.path("clock"), at, at); err != nil {
		s.t.Fatal(err)
	}
}

// withTurnable has an Axon whose clock can be turned take the place of the one that runs, until that is killed.
func withTurnable(s *site, w *window) {
	real := s.axonPath
	s.axonPath = s.path(turnable)
	s.write("clock", "")
	s.turn(0)
	s.t.Setenv("AXON_CLOCK", s.path("clock"))
	killAxon(s, w)
	s.axonPath = real
}

// clockJumps turns the clock forth, beyond the life of all that is remembered, and back to before the start.
func clockJumps(s *site, w *window) {
	for _, by := range []time.Duration{2 * time.Hour, 30 * 24 * time.Hour, -2 * time.Hour, 0} {
		s.turn(by)
		s.logIn(w, 2*time.Second)
		s.reloading("published", func() { s.wellKnown(int(by.Seconds())&0xffff + 1) })
	}
	s.reloading("published", func() { s.write("axon.yaml", s.axonYAML()) })
}
