package ring

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"axon/affinity"
	"axon/xds/plan"
	"axon/xds/translate"
)

// weights are those of the hosts of cluster "uneven", which translate never makes: they give a ring that is full of
// fractions of points.
var weights = []uint32{3, 5, 7, 11}

func TestRealEnvoyPicksTheSameWorker(t *testing.T) {
	for _, balance := range []plan.Balance{plan.RingHash, plan.Maglev} {
		t.Run(string(balance), func(t *testing.T) {
			p := deployment(t, balance)
			f := startFront(t, p, prepare)
			for _, c := range p.Clusters {
				sameCounts(t, f, c, picker(p, c.Name))
			}
			for name, k := range kinds {
				t.Run(name, func(t *testing.T) { k.compare(t, f, picker(p, k.cluster)) })
			}
		})
	}
}

// deployment has a cluster for each kind of requests.
func deployment(t *testing.T, balance plan.Balance) *plan.Plan {
	t.Helper()
	main := &workers(t, "main")[0]
	hashed := func(name string, fallback *plan.Member, names ...string) plan.Cluster {
		return plan.Cluster{Name: name, Hashed: true, Members: workers(t, names...), Fallback: fallback}
	}
	p := &plan.Plan{Balance: balance, Clusters: []plan.Cluster{
		hashed("sync", main, "sync-1", "sync-2", "sync-3", "sync-4"),
		hashed("event_creator", main, "event-creator-1", "event-creator-2", "event-creator-3"),
		hashed("federation_inbound", main, "fed-10", "fed-9"),
		hashed("receipts", nil, "receipts-a", "receipts-b", "receipts-c"),
		hashed("uneven", main, "w-2", "w-1", "w-3"),
		{Name: "main", Members: []plan.Member{*main}},
	}}
	p.Routes = []plan.Route{
		leads(t, "sync", affinity.User, "/_matrix/client/v3/sync"),
		leads(t, "event_creator", affinity.Room, "/_matrix/client/v3/rooms/*/send/*/*"),
		leads(t, "receipts", affinity.Room, "/_matrix/client/v3/rooms/*/receipt/*/*"),
		leads(t, "federation_inbound", affinity.Origin, "/_matrix/federation/v1/send/*"),
		leads(t, "uneven", affinity.User, "/_matrix/client/v3/events"),
		leads(t, "main", affinity.None, "/**"),
	}
	return p
}

func leads(t *testing.T, cluster string, a affinity.Affinity, path string) plan.Route {
	t.Helper()
	template, err := plan.ParseTemplate(path)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Route{Name: cluster, Paths: []plan.Template{template}, Cluster: cluster, Affinity: a}
}

// picker is what the package says of a cluster.
func picker(p *plan.Plan, name string) Picker {
	i := slices.IndexFunc(p.Clusters, func(c plan.Cluster) bool { return c.Name == name })
	c := p.Clusters[i]
	if name != "uneven" {
		return For(p.Balance, c)
	}
	var hosts []Host
	for i, m := range append(slices.Clip(c.Members), *c.Fallback) {
		hosts = append(hosts, Host{Key: m.Name, Weight: weights[i]})
	}
	if p.Balance == plan.RingHash {
		return NewRing(hosts, translate.PointsPerWorker)
	}
	return NewMaglev(hosts[:len(c.Members)], TableSize) // main stands behind the others
}

// prepare gives the hosts of cluster "uneven" their weights, and keeps all hosts in every cluster however slowly they answer
// on a busy machine.
func prepare(r translate.Resources) {
	for _, c := range r.Clusters {
		c.HealthChecks = nil
		c.ConnectTimeout = durationpb.New(time.Minute)
	}
	for _, assignment := range r.Endpoints {
		if assignment.ClusterName == "uneven" {
			for i, e := range assignment.Endpoints[0].LbEndpoints {
				e.LoadBalancingWeight = wrapperspb.UInt32(weights[i])
			}
		}
	}
}

// sameCounts compares what Envoy counts of its ring or table. It has one set of gauges for all priorities of a cluster: a
// table's are those of main where main stands behind the others.
func sameCounts(t *testing.T, f *front, c plan.Cluster, p Picker) {
	t.Helper()
	switch p := p.(type) {
	case *Ring:
		counts := make([]int, len(p.keys))
		for _, point := range p.points {
			counts[point.host]++
		}
		f.hasCounts(t, c.Name, "ring_hash_lb", "hashes_per_host", counts)
	case *Maglev:
		if c.Fallback != nil {
			return
		}
		counts := make([]int, len(p.keys))
		for _, host := range p.table {
			counts[host]++
		}
		f.hasCounts(t, c.Name, "maglev_lb", "entries_per_host", counts)
	}
}

func (f *front) hasCounts(t *testing.T, cluster, balancer, gauge string, counts []int) {
	t.Helper()
	for name, want := range map[string]int{"min": slices.Min(counts), "max": slices.Max(counts)} {
		stat := fmt.Sprintf("cluster.%s.%s.%s_%s", cluster, balancer, name, gauge)
		if got := f.stat(t, stat); got != want {
			t.Errorf("%s: %d, want %d", stat, got, want)
		}
	}
}
