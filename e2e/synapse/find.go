package synapse

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// Root is the folder of the module's go.mod, found upwards from the working folder.
func Root(t testing.TB) string {
	t.Helper()
	start, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatalf("no go.mod in %s or above it", start)
		}
	}
}

// Python is the interpreter that has Synapse and the client library: $SYNAPSE_PYTHON, or the virtual environment that
// `make e2e` makes.
func Python(t testing.TB) string {
	t.Helper()
	python := cmp.Or(os.Getenv("SYNAPSE_PYTHON"), filepath.Join(Root(t), ".cache", "venv", "bin", "python"))
	if _, err := os.Stat(python); err != nil {
		t.Fatalf("find Synapse's Python: %v; run `make e2e`, or name one in $SYNAPSE_PYTHON", err)
	}
	return python
}

// postgresPlaces are where Debian and its descendants keep the server's own programs, which are not in PATH there.
const postgresPlaces = "/usr/lib/postgresql/*/bin"

func findPostgres(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, err := filepath.Glob(filepath.Join(postgresPlaces, name))
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("find %s of PostgreSQL in PATH and %s: run `make e2e`", name, postgresPlaces)
	}
	return slices.Max(found), nil
}

func findRedis() (string, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", fmt.Errorf("find redis-server in PATH: run `make e2e`")
	}
	return path, nil
}
