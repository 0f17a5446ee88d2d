package e2e

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"axon/e2e/process"
	"axon/e2e/synapse"
	"axon/envoy/envoytest"
)

// readyLimit is how long Axon and its Envoy may take until they serve; they need about a second.
const readyLimit = time.Minute

// axon is a running front door: Axon and the Envoy that it supervises.
type axon struct {
	URL   string // the listener for clients
	Admin string // Axon's admin address: http://127.0.0.1:port
	Envoy string // Envoy's
	Dir   string // the configuration, the unix sockets, and the log

	process *process.Process
}

// startAxon runs the front door of hs, configured by Synapse's own files, and returns when clients are answered.
func startAxon(t *testing.T, hs *synapse.Homeserver) *axon {
	t.Helper()
	a := &axon{Dir: envoytest.ShortDir(t), URL: freeURL(t), Admin: freeURL(t), Envoy: freeURL(t)}
	root := synapse.Root(t)
	program := cmp.Or(os.Getenv("AXON"), filepath.Join(root, "bin", "axon"))
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("find Axon: %v; run `make build`, or name one in $AXON", err)
	}
	config := a.configure(t, hs)
	cmd := exec.Command(program, "run", "-c", config)
	cmd.Dir = a.Dir
	cmd.Env = append(os.Environ(), "ENVOY="+cmp.Or(os.Getenv("ENVOY"), filepath.Join(root, "bin", "envoy")))
	p, err := process.Start(cmd, a.log(), syscall.SIGTERM)
	if err != nil {
		t.Fatal(err)
	}
	a.process = p
	t.Cleanup(func() {
		if err := p.Stop(syscall.SIGTERM, 30*time.Second); err != nil {
			t.Errorf("stop Axon: %v", err)
		}
		if t.Failed() {
			t.Logf("Axon's log:\n%s", a.output())
		}
	})
	a.await(t, a.Admin+"/readyz")
	a.await(t, a.URL+"/_matrix/client/versions")
	return a
}

func (a *axon) configure(t *testing.T, hs *synapse.Homeserver) string {
	t.Helper()
	text := fmt.Sprintf(`synapse:
  config: [%s]
  workers: [%s]
listeners:
  - address: %s
authz: {address: "unix:%s"}
xds: {address: "unix:%s"}
admin: {address: %s}
envoy: {run: true, admin: %s}
`, hs.ConfigPath, hs.WorkersDir, hostPort(a.URL), filepath.Join(a.Dir, "authz.sock"), filepath.Join(a.Dir, "xds.sock"),
		hostPort(a.Admin), hostPort(a.Envoy))
	path := filepath.Join(a.Dir, "axon.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// await returns when a GET of url is answered 200.
func (a *axon) await(t *testing.T, url string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	last := "no answer"
	for deadline := time.Now().Add(readyLimit); a.process.Alive() && time.Now().Before(deadline); {
		response, err := client.Get(url)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
			last = response.Status
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("wait for %s: %s; Axon runs: %t", url, last, a.process.Alive())
}

func (a *axon) log() string { return filepath.Join(a.Dir, "axon.log") }

func (a *axon) output() string {
	text, err := os.ReadFile(a.log())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

const scheme = "http://"

func freeURL(t *testing.T) string {
	t.Helper()
	port, err := synapse.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s127.0.0.1:%d", scheme, port)
}

func hostPort(url string) string { return url[len(scheme):] }
