package envoy

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestBootstrapGolden(t *testing.T) {
	tests := map[string]BootstrapOptions{
		"unix_socket": {NodeID: "axon-demo", Cluster: "axon", Admin: "127.0.0.1:9901", XDS: "unix:/run/axon/xds.sock"},
		"ip_address":  {NodeID: "y", Cluster: "n", Admin: "unix:/run/axon/admin.sock", XDS: "[::1]:18000"},
		"connections": {NodeID: "axon", Cluster: "axon", XDS: "unix:/run/axon/xds.sock", MaxConnections: 5000},
		"host_name":   {NodeID: "edge-1", Cluster: "edge", XDS: "axon.example.org:18000"},
	}
	envoy := realEnvoy(t)
	for name, options := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := Bootstrap(options)
			if err != nil {
				t.Fatal(err)
			}
			if err := Validate(t.Context(), envoy, b); err != nil {
				t.Error(err)
			}
			json, err := BootstrapJSON(b)
			if err != nil {
				t.Fatal(err)
			}
			got, err := yaml.JSONToYAML(json)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join(goldenDir, name+".yaml"), got)
		})
	}
	noStaleGolden(t, func(name string) bool { _, ok := tests[strings.TrimSuffix(name, ".yaml")]; return ok })
}

var goldenDir = filepath.Join("testdata", "bootstrap")

// noStaleGolden finds, or with -update removes, the golden files of tests that are no more.
func noStaleGolden(t *testing.T, known func(name string) bool) {
	t.Helper()
	files, err := os.ReadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		file := filepath.Join(goldenDir, f.Name())
		switch {
		case known(f.Name()):
		case !*update:
			t.Errorf("%s is stale: remove it with -update", file)
		default:
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (rewrite with -update): -want +got\n%s", file, diff)
	}
}

func TestBootstrapTellsEveryFault(t *testing.T) {
	_, err := Bootstrap(BootstrapOptions{Admin: "0.0.0.0:1", XDS: "nowhere"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"node id", "node cluster", `admin address "0.0.0.0:1"`, `xds address "nowhere"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}
