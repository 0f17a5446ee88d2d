package explain

import (
	"slices"
	"testing"

	"axon/xds/plan"
	"axon/xds/topology"
)

// stepping is a homeserver with two workers for incremental syncs and two for initial ones.
func stepping(t *testing.T, config plan.Config) *plan.Plan {
	t.Helper()
	section := topology.Section{ServerName: "example.org", Main: "127.0.0.1:9000"}
	for name, address := range map[string]string{"sync-1": "127.0.0.1:9001", "sync-2": "127.0.0.1:9002", "initial-sync-1": "127.0.0.1:9003", "initial-sync-2": "127.0.0.1:9004"} {
		section.Workers = append(section.Workers, topology.WorkerConfig{Name: name, Address: address})
	}
	topo, err := topology.Load(topology.Config{Topology: section}, nil, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	config.Listeners = []plan.ListenerConfig{{Address: "127.0.0.1:8008"}}
	p, err := plan.Build(topo, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOneGroupTakesOverFromAnother(t *testing.T) {
	initial := Request{Method: "GET", Target: "/_matrix/client/v3/sync", User: "@alice:example.org"}
	p := stepping(t, plan.Config{})
	whole := Explain(p, initial)
	if want := []string{"sync-1", "sync-2"}; !slices.Equal(whole.Stead, want) || whole.Fallback != "main" || !slices.Contains([]string{"initial-sync-1", "initial-sync-2"}, whole.Worker) {
		t.Errorf("all healthy: %q, then %v and %q", whole.Worker, whole.Stead, whole.Fallback)
	}
	if e := Explain(p.Drain([]string{"initial-sync-1", "initial-sync-2"}), initial); !slices.Contains([]string{"sync-1", "sync-2"}, e.Worker) || e.Stead != nil {
		t.Errorf("its own drained: %q of %v, then %v", e.Worker, e.Workers, e.Stead)
	}
	if e := Explain(p.Drain([]string{"initial-sync-1", "initial-sync-2", "sync-1", "sync-2"}), initial); e.Worker != "main" {
		t.Errorf("all drained: %q", e.Worker)
	}
}

func TestBoundedLoadMakesTheWorkerAConditionalOne(t *testing.T) {
	percent := uint32(150)
	e := Explain(stepping(t, plan.Config{BoundedLoad: &percent}), Request{Method: "GET", Target: "/_matrix/client/v3/sync?since=s1", User: "@alice:example.org"})
	if want := e.Worker + ", as long as it has no more than 150 % of the mean under way"; e.Worker == "" || e.Listed() != want {
		t.Errorf("%q, want %q", e.Listed(), want)
	}
}
