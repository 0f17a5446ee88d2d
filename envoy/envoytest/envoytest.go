// Package envoytest runs the real Envoy for tests. A test that needs one fails without: it never skips.
package envoytest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"

	"axon/envoy"
)

// Binary is the Envoy that $ENVOY names, or else bin/envoy of the repository.
func Binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv("ENVOY")
	if path == "" {
		path = filepath.Join(root(t), "bin", "envoy")
	}
	found, err := envoy.Find(path)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Start runs an Envoy, with one worker thread, until the test ends. It does not wait until that is ready.
func Start(t testing.TB, bootstrap *bootstrapv3.Bootstrap, args ...string) {
	t.Helper()
	config, err := envoy.BootstrapJSON(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "envoy.json") // a whole plan is too long for an argument
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"--disable-hot-restart", "--concurrency", "1", "--log-level", "warning", "--config-path", file}, args...)
	var output bytes.Buffer
	command := exec.CommandContext(context.WithoutCancel(t.Context()), Binary(t), args...)
	command.Stdout, command.Stderr = &output, &output
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that panics cleans nothing up
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Logf("Envoy's log:\n%s", output.Bytes())
		}
	})
}

// root is the folder of go.mod, above the test's own.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}
