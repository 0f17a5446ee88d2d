package plan

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"axon/xds/topology"
	"axon/yamlfile"
)

var update = flag.Bool("update", false, "rewrite the golden files, and remove stale ones")

// cases are the deployments of package topology that Load accepts.
const cases = "../topology/testdata"

// load reads a deployment and plans it.
func load(t *testing.T, dir string) (*Plan, error) {
	t.Helper()
	file, err := yamlfile.Read(filepath.Join(dir, "axon.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Where topology.Config `yaml:",inline"`
		What  Config          `yaml:",inline"`
	}
	if err := file.DecodeStrict(&config); err != nil {
		t.Fatal(err)
	}
	topo, err := topology.Load(config.Where, file, dir)
	if err != nil {
		t.Fatal(err)
	}
	return Build(topo, config.What, file)
}

func TestGolden(t *testing.T) {
	topologies, err := filepath.Glob(cases + "/*/topology.yaml")
	if err != nil || len(topologies) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	stale, _ := filepath.Glob("testdata/*.yaml")
	for _, golden := range topologies {
		name := filepath.Base(filepath.Dir(golden))
		want := filepath.Join("testdata", name+".yaml")
		stale = slices.DeleteFunc(stale, func(file string) bool { return file == want })
		t.Run(name, func(t *testing.T) {
			p, err := load(t, filepath.Dir(golden))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, want, p)
		})
	}
	for _, file := range stale {
		if !*update {
			t.Errorf("%s: no such case any more; run with -update", file)
		} else if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
}

func compare(t *testing.T, golden string, v any) {
	t.Helper()
	got, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", golden, diff)
	}
}
