package translate

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"axon/xds/plan"
)

type endpoints = endpointv3.ClusterLoadAssignment

// PointsPerWorker is how many points each worker has on a ring, whoever else is healthy. More points share users out more
// evenly; the ring is a few megabytes at most.
const PointsPerWorker = 16384

// noSpill keeps Envoy from sending a share of the requests to main as soon as one worker is gone (its default is 140).
const noSpill = 100_000

// UsesRing says whether a hashed cluster is a ring. Without main as its lightest host (strict writers have no stand-in) a
// ring would move other workers' users at each loss, so Maglev does it.
func UsesRing(balance plan.Balance, c plan.Cluster) bool {
	return c.Hashed && balance == plan.RingHash && c.Fallback != nil
}

// loadAssignment says where a cluster's workers live. On a ring, main stands beside them as the lightest host: Envoy
// scales every host's points by the lightest one's, so each worker keeps exactly PointsPerWorker points whoever dies, main
// has one, and takes over when it is the last. Elsewhere main stands behind them.
func loadAssignment(balance plan.Balance, c plan.Cluster) *endpoints {
	ring := UsesRing(balance, c)
	workers := &endpointv3.LocalityLbEndpoints{}
	for _, m := range c.Members {
		e := endpoint(m)
		if ring {
			e.LoadBalancingWeight = number(PointsPerWorker)
		}
		workers.LbEndpoints = append(workers.LbEndpoints, e)
	}
	assignment := &endpoints{
		ClusterName: c.Name,
		Policy:      &endpointv3.ClusterLoadAssignment_Policy{OverprovisioningFactor: number(noSpill)},
		Endpoints:   []*endpointv3.LocalityLbEndpoints{workers},
	}
	switch {
	case ring:
		workers.LbEndpoints = append(workers.LbEndpoints, lightest(*c.Fallback))
	case c.Fallback != nil:
		assignment.Endpoints = append(assignment.Endpoints, &endpointv3.LocalityLbEndpoints{
			Priority: 1, LbEndpoints: []*endpointv3.LbEndpoint{endpoint(*c.Fallback)},
		})
	}
	return assignment
}

// endpoint is a worker; its name, not its address, is what the ring hashes, and what access logs can show.
func endpoint(m plan.Member) *endpointv3.LbEndpoint {
	return &endpointv3.LbEndpoint{
		HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address(m.Address), Hostname: m.Name}},
		Metadata: &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
			"envoy.lb": {Fields: map[string]*structpb.Value{"hash_key": structpb.NewStringValue(m.Name)}},
		}},
	}
}

// lightest is main on a ring. Its health is not asked: were it taken off, every worker's points would change.
func lightest(main plan.Member) *endpointv3.LbEndpoint {
	e := endpoint(main)
	e.LoadBalancingWeight = number(1)
	e.GetEndpoint().HealthCheckConfig = &endpointv3.Endpoint_HealthCheckConfig{DisableActiveHealthCheck: true}
	return e
}

func wide(n uint64) *wrapperspb.UInt64Value { return wrapperspb.UInt64(n) }
