package envoytest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// ShortDir is a folder until the test ends, whose name leaves room for a unix socket's: a path of one has 107 bytes at most,
// which that of t.TempDir may not leave.
func ShortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ax")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// SupervisedPID is the process ID of the Envoy whose Axon has this envoy.dir: it is written down for the next Axon.
func SupervisedPID(dir string) (int, error) {
	var state struct {
		PID int `json:"pid"`
	}
	data, err := os.ReadFile(filepath.Join(dir, "envoy.json"))
	if err != nil {
		return 0, err
	}
	return state.PID, json.Unmarshal(data, &state)
}
