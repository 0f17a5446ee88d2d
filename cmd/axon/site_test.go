package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"axon/demo/standin"
	"axon/envoy/envoytest"
)

// site is a homeserver of stand-ins, Synapse's files about it, and an axon.yaml that reads these.
type site struct {
	dir     string
	front   string // addresses of 127.0.0.1
	admin   string
	users   []user
	tokens  map[string]string
	workers map[string]*standin.Worker
	names   bool // workers have names for addresses
}

// user has a device with a token of Synapse's own form, which says whose it is, and one with a token that does not.
type user struct{ id, native, opaque string }

const homeserverYAML = `server_name: example.org
listeners:
  - {type: http, port: %d, bind_addresses: [127.0.0.1], resources: [{names: [client, federation]}]}
redis: {enabled: true}
stream_writers: {typing: typing-1}
`

const workerYAML = `worker_app: synapse.app.generic_worker
worker_name: %s
worker_listeners:
  - {type: http, port: %d, bind_addresses: [127.0.0.1], resources: [{names: [%s]}]}
`

// axonYAML is complete but for DIR, FRONT and ADMIN, which configure fills in.
const axonYAML = `synapse:
  config: [homeserver.yaml]
  workers: [workers]
listeners:
  - address: FRONT
authz: {address: "unix:DIR/authz.sock"}
xds: {address: "unix:DIR/xds.sock"}
admin: {address: ADMIN}
envoy: {run: true, dir: DIR/envoy, admin: "unix:DIR/envoy.sock", concurrency: 1}
`

func newSite(t *testing.T) *site {
	t.Helper()
	dir := envoytest.ShortDir(t)
	s := &site{dir: dir, front: freeAddress(t), admin: freeAddress(t), tokens: map[string]string{}, workers: map[string]*standin.Worker{}}
	t.Cleanup(s.endEnvoy)
	for i := range 32 {
		id := fmt.Sprintf("@user%d:example.org", i)
		u := user{id, standin.NativeToken(id), standin.OpaqueToken()}
		s.users = append(s.users, u)
		s.tokens[u.native], s.tokens[u.opaque] = id, id
	}
	if err := os.Mkdir(filepath.Join(dir, "workers"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write(t, "homeserver.yaml", fmt.Sprintf(homeserverYAML, s.start(t, standin.Main, standin.Client, standin.Federation)))
	for _, name := range []string{"sync-1", "sync-2", "sync-3", "initial-sync-1", "event-creator-1", "typing-1"} {
		s.write(t, "workers/"+name+".yaml", fmt.Sprintf(workerYAML, name, s.start(t, name, standin.Client), standin.Client))
	}
	s.write(t, "workers/federation-1.yaml",
		fmt.Sprintf(workerYAML, "federation-1", s.start(t, "federation-1", standin.Federation), standin.Federation))
	s.configure(t)
	return s
}

// start starts a stand-in and gives its port.
func (s *site) start(t *testing.T, name string, resources ...string) int {
	t.Helper()
	w, err := standin.Start(context.WithoutCancel(t.Context()), standin.Config{ // to the end of what sends it requests
		Name: name, Resources: resources, Writers: map[string][]string{"typing": {"typing-1"}}, Tokens: s.tokens, LongPoll: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	s.workers[name] = w
	return w.Port()
}

// configure writes axon.yaml with each of the pairs old, new replaced.
func (s *site) configure(t *testing.T, pairs ...string) {
	t.Helper()
	text := strings.NewReplacer(pairs...).Replace(axonYAML)
	s.write(t, "axon.yaml", strings.NewReplacer("DIR", s.dir, "FRONT", s.front, "ADMIN", s.admin).Replace(text))
}

// write puts a whole file in its place at once.
func (s *site) write(t *testing.T, name, text string) {
	t.Helper()
	fresh := filepath.Join(s.dir, "fresh")
	if err := errors.Join(os.WriteFile(fresh, []byte(text), 0o600), os.Rename(fresh, s.path(name))); err != nil {
		t.Fatal(err)
	}
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// endEnvoy ends the Envoy of a test that failed.
func (s *site) endEnvoy() {
	if pid, err := s.envoyPID(); err == nil && alive(pid) {
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if strings.Contains(string(command), s.dir) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// envoyPID is that of the supervised Envoy.
func (s *site) envoyPID() (int, error) { return envoytest.SupervisedPID(s.path("envoy")) }

// alive says whether a process runs. An orphan that has ended may stay a zombie where nobody waits for it.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// freeAddress is for what listens later. It is below the ports that Linux gives connections and listeners of port 0, so that
// none of these takes it meanwhile.
func freeAddress(t *testing.T) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(22_000)))
		if err != nil {
			continue // somebody else has it
		}
		defer l.Close()
		address := l.Addr().String()
		if _, given := addresses.LoadOrStore(address, true); !given {
			return address
		}
	}
}

// addresses are those that freeAddress has given.
var addresses sync.Map
