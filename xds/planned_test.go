package xds

import (
	"path/filepath"
	"testing"
	"time"

	"axon/xds/plan"
	"axon/xds/topology"
	"axon/xds/translate"
	"axon/yamlfile"
)

// Whatever is planned can be published, and has the same version each time that it is translated.
func TestEveryPlanMakesASnapshot(t *testing.T) {
	for _, dir := range deployments(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			p := planned(t, dir)
			p.Identity = &plan.Identity{Address: topology.Address{Path: "/run/axon/authz.sock"}, Timeout: time.Second}
			first, second := snapshotOf(t, translate.Translate(p)), snapshotOf(t, translate.Translate(p))
			if a, b := Version(first), Version(second); a != b {
				t.Errorf("versions %s and %s of one plan", a, b)
			}
		})
	}
}

func planned(t *testing.T, dir string) *plan.Plan {
	t.Helper()
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
	return p
}

// deployments are the folders of those that package topology has for its tests.
func deployments(t *testing.T) (dirs []string) {
	t.Helper()
	files, err := filepath.Glob("topology/testdata/*/topology.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no deployments: %v", err)
	}
	for _, file := range files {
		dirs = append(dirs, filepath.Dir(file))
	}
	return dirs
}
