package envoy_test

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"axon/envoy"
)

func TestOpenFilesAreThoseOfChildren(t *testing.T) {
	files, err := envoy.OpenFiles()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "ulimit -Sn").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(string(out)), strconv.FormatUint(files, 10); got != want {
		t.Errorf("a child may have %s open files, want %s", got, want)
	}
}

func TestConnectionsLeaveFilesForWorkers(t *testing.T) {
	for files, want := range map[uint64]int{1024: 409, 1 << 20: 419430, 1<<64 - 1: 429496729} {
		if got := envoy.Connections(files); got != want {
			t.Errorf("%d files: %d connections, want %d", files, got, want)
		}
	}
}
