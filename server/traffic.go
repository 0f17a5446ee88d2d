package server

import (
	"slices"

	"axon/envoy"
	adminv1 "axon/proto/axon/admin/v1"
	"axon/xds/plan"
)

// The words for a worker's health.
const (
	healthy   = "healthy"
	unhealthy = "unhealthy"
	unchecked = "unchecked"
)

// traffic adds up what Envoy says of each worker's hosts in the clusters of the plan.
func traffic(p *plan.Plan, clusters []envoy.Cluster) map[string]*adminv1.Traffic {
	all := map[string]*adminv1.Traffic{}
	for _, planned := range p.Clusters {
		i := slices.IndexFunc(clusters, func(c envoy.Cluster) bool { return c.Name == planned.Name })
		if i < 0 { // Envoy has not got to it yet
			for _, m := range planned.Members {
				of(all, m.Name).Draining = false
			}
			continue
		}
		left := unassigned(planned, clusters[i])
		for _, h := range clusters[i].Hosts {
			if slices.ContainsFunc(processes(planned), func(m plan.Member) bool { return m.Name == h.Name }) {
				t := of(all, h.Name)
				add(t, h, clusters[i].Checked)
				t.InFlightAtMost += left
			}
		}
	}
	return all
}

func of(all map[string]*adminv1.Traffic, name string) *adminv1.Traffic {
	if all[name] == nil {
		all[name] = &adminv1.Traffic{Health: unchecked, Draining: true}
	}
	return all[name]
}

func add(t *adminv1.Traffic, h envoy.Host, checked bool) {
	switch {
	case checked && !h.Healthy:
		t.Health = unhealthy
	case checked && t.Health == unchecked:
		t.Health = healthy
	}
	t.InFlight += uint32(h.Active)
	t.InFlightAtMost += uint32(h.Active)
	t.Requests += h.Total
	t.Errors += h.Errors
	t.Draining = t.Draining && h.Draining
}

// unassigned counts the requests under way at hosts that Envoy has replaced. It replaces all of a cluster whose addresses are names at
// each change of it. Connections are counted, each of which has one request (HTTP/1.1): there are fewer changes to them than to
// requests between Envoy's two answers.
func unassigned(planned plan.Cluster, c envoy.Cluster) uint32 {
	if !slices.ContainsFunc(processes(planned), func(m plan.Member) bool { return m.Address.IsName() }) {
		return 0
	}
	var held uint64
	for _, h := range c.Hosts {
		held += h.Connections
	}
	return uint32(c.Connections - min(held, c.Connections))
}

// processes are the members and those that may take over.
func processes(c plan.Cluster) []plan.Member {
	all := slices.Concat(c.Members, c.Stead)
	if c.Fallback == nil {
		return all
	}
	return append(all, *c.Fallback)
}
