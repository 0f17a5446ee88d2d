package faults

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"axon/demo/standin"
	"axon/e2e/process"
	"axon/e2e/synapse"
	"axon/envoy/envoytest"
)

// site is a homeserver of stand-in processes behind the real front door, with load on it.
type site struct {
	t       testing.TB
	draw    *rand.Rand
	dir     string
	mounted bool // whether state is a file system of its own

	front, admin string // host:port
	users        []user
	tokens       map[string]string // whose each is
	fresh        [users][]string   // tokens of each that nobody has used yet
	workers      map[string]*worker
	redis        *process.Process
	redisAddress string

	axon     *process.Process
	axonPath string
	standin  string // the program
	launches int    // numbers the logs

	homes map[string]string // the worker of everything that has one of its own
	extra []about           // what else is swept
	last  time.Time         // the end of the last window

	ledger *ledger
	load   *load
	usage  []usage
	idle   usage // before the load
	once   int   // how many of usage are of the first part of the run
}

// user has a device with a token of Synapse's own form, which says whose it is, and another one with a token that does not.
type user struct{ id, native, opaque string }

const (
	users       = 200
	freshTokens = 40 // a user's
	serverName  = "example.org"
)

func newSite(t testing.TB, draw *rand.Rand) *site {
	t.Helper()
	s := &site{
		t: t, draw: draw, dir: envoytest.ShortDir(t), tokens: map[string]string{}, workers: map[string]*worker{},
		front: freeAddress(t), admin: freeAddress(t), redisAddress: freeAddress(t),
	}
	t.Cleanup(s.endEnvoy)
	s.mountState()
	s.build()
	for i := range users {
		id := fmt.Sprintf("@user%d:%s", i, serverName)
		u := user{id: id, native: standin.NativeToken(id), opaque: standin.OpaqueToken()}
		s.tokens[u.native], s.tokens[u.opaque] = id, id
		for range freshTokens {
			token := standin.OpaqueToken()
			s.tokens[token], s.fresh[i] = id, append(s.fresh[i], token)
		}
		s.users = append(s.users, u)
	}
	if err := errors.Join(os.Mkdir(s.path("workers"), 0o700), os.Mkdir(s.path("journals"), 0o700)); err != nil {
		t.Fatal(err)
	}
	s.write("redis.secret", "a secret of the fault suite alone\n")
	s.startRedis()
	for _, name := range cast {
		s.start(name)
		s.describe(name)
	}
	s.write("axon.yaml", s.axonYAML())
	s.ledger = newLedger(s.path("journals"))
	return s
}

// build makes the programs that run as processes of their own.
func (s *site) build() {
	s.t.Helper()
	s.standin, s.axonPath = s.path("bin/standin"), s.path("bin/axon")
	packages := []string{"axon/e2e/faults/standin", "axon/cmd/axon"}
	if *given != "" {
		packages, s.axonPath = packages[:1], *given
	}
	if err := os.Mkdir(s.path("bin"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	command := exec.Command("go", append([]string{"build", "-buildvcs=false", "-o", s.path("bin") + "/"}, packages...)...)
	command.Dir, command.Env = synapse.Root(s.t), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// write puts a whole file in its place at once, as editors and deployments do.
func (s *site) write(name, text string) {
	s.t.Helper()
	fresh := s.path("fresh")
	if err := errors.Join(os.WriteFile(fresh, []byte(text), 0o600), os.Rename(fresh, s.path(name))); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// log is the file for the output of the next process.
func (s *site) log(name string) string {
	s.launches++
	return s.path(fmt.Sprintf("%s.%d.log", name, s.launches))
}

// dump shows the end of what the programs of a name have printed.
func (s *site) dump(name string) {
	files, _ := filepath.Glob(s.path(name + ".*.log"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		lines := strings.Split(string(text), "\n")
		s.t.Logf("%s:\n%s", filepath.Base(file), strings.Join(lines[max(0, len(lines)-60):], "\n"))
	}
}

// meanwhile runs functions at the same time, and returns when all have.
func meanwhile(n int, run func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { run(i) })
	}
	all.Wait()
}
