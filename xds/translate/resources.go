// Package translate turns a plan into what Envoy is told. It reads nothing but its argument: one plan always gives one
// answer, down to the byte.
package translate

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"axon/xds/plan"
)

// Resources are everything that an Envoy gets from Axon, each kind sorted by name.
type Resources struct {
	Listeners []*listenerv3.Listener
	Routes    []*routev3.RouteConfiguration
	Clusters  []*clusterv3.Cluster
	Endpoints []*endpointv3.ClusterLoadAssignment
}

// Translate makes the resources of a plan. The listeners hold nothing that a change of the topology touches, because a
// changed listener cuts long polls at the end of its drain time; all that lives in routes, clusters and endpoints.
func Translate(p *plan.Plan) Resources {
	var r Resources
	for _, l := range p.Listeners {
		r.Listeners = append(r.Listeners, listener(l, p.Identity))
		r.Routes = append(r.Routes, routeConfiguration(p, l))
	}
	for _, c := range p.Clusters {
		r.addCluster(p, c)
	}
	if p.Identity != nil {
		r.Clusters = append(r.Clusters, identityCluster(p.Identity))
	}
	sortByName(&r)
	return r
}

// addCluster adds a cluster, with its endpoints apart wherever that is possible: Envoy resolves DNS names itself only in
// clusters that hold them.
func (r *Resources) addCluster(p *plan.Plan, c plan.Cluster) {
	built, assignment := cluster(p, c), loadAssignment(p.Balance, c)
	if needsDNS(c) {
		built.LoadAssignment = assignment
	} else {
		r.Endpoints = append(r.Endpoints, assignment)
	}
	r.Clusters = append(r.Clusters, built)
}
