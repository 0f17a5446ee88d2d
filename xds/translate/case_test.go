package translate

import (
	"path/filepath"
	"testing"
	"time"

	"axon/xds/plan"
	"axon/xds/topology"
	"axon/yamlfile"
)

// planOf plans one of the deployments of package topology.
func planOf(t testing.TB, name string) *plan.Plan {
	t.Helper()
	dir := filepath.Join("../topology/testdata", name)
	file, err := yamlfile.Read(filepath.Join(dir, "axon.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Where topology.Config `yaml:",inline"`
		What  plan.Config     `yaml:",inline"`
	}
	if err := file.DecodeStrict(&config); err != nil {
		t.Fatal(err)
	}
	topo, err := topology.Load(config.Where, file, dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Build(topo, config.What, file)
	if err != nil {
		t.Fatal(err)
	}
	p.Identity = &plan.Identity{Address: topology.Address{Path: "/run/axon/authz.sock"}, Timeout: 600 * time.Millisecond, Learn: true, Headers: []string{"x-user-identifier"}}
	return p
}

// caseNames are the deployments that can be planned.
func caseNames(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../topology/testdata/*/topology.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	var names []string
	for _, file := range files {
		names = append(names, filepath.Base(filepath.Dir(file)))
	}
	return names
}
