package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"axon/envoy"
	adminv1 "axon/proto/axon/admin/v1"
	"axon/xds/plan"
	"axon/xds/topology"
)

func TestTrafficIsThatOfAllClusters(t *testing.T) {
	at := func(name, host string) plan.Member {
		return plan.Member{Name: name, Address: topology.Address{Host: host, Port: 1}}
	}
	main := at("main", "127.0.0.1")
	p := &plan.Plan{Clusters: []plan.Cluster{
		{Name: "sync", Members: []plan.Member{at("a", "127.0.0.1"), at("b", "127.0.0.1")}, Fallback: &main},
		{Name: "login", Members: []plan.Member{at("a", "127.0.0.1")}},
		{Name: "named", Members: []plan.Member{at("c", "worker-c"), at("d", "worker-d")}},
		{Name: "late", Members: []plan.Member{at("b", "127.0.0.1")}},
	}}
	host := func(name string, n uint64) envoy.Host {
		return envoy.Host{Name: name, Healthy: true, Draining: true, Active: n, Total: 10 * n, Errors: n / 2, Connections: n}
	}
	ill := host("b", 4)
	ill.Healthy = false
	sent := host("d", 0)
	sent.Draining = false
	clusters := []envoy.Cluster{
		{Name: "sync", Checked: true, Connections: 99, Hosts: []envoy.Host{host("a", 2), ill, host("main", 0)}},
		{Name: "login", Connections: 3, Hosts: []envoy.Host{host("a", 3)}},
		{Name: "named", Connections: 7, Hosts: []envoy.Host{host("c", 5), sent}},
		{Name: "xds", Connections: 1, Hosts: []envoy.Host{host("a", 100)}},
	}
	want := map[string]*adminv1.Traffic{
		"a":    {Health: healthy, InFlight: 5, InFlightAtMost: 5, Requests: 50, Errors: 2, Draining: true},
		"b":    {Health: unhealthy, InFlight: 4, InFlightAtMost: 4, Requests: 40, Errors: 2}, // "late" has not heard of it
		"main": {Health: healthy, Draining: true},
		"c":    {Health: unchecked, InFlight: 5, InFlightAtMost: 7, Requests: 50, Errors: 2, Draining: true},
		"d":    {Health: unchecked, InFlightAtMost: 2},
	}
	if diff := cmp.Diff(want, traffic(p, clusters), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
