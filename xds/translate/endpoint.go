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

// UsesRing says whether a hashed cluster is a ring. Without main as its lightest host (strict writers have no stand-in, and
// where other workers come before main it can't stand beside the members) a ring would move other workers' users at each
// loss, so Maglev does it.
func UsesRing(balance plan.Balance, c plan.Cluster) bool {
	return c.Hashed && balance == plan.RingHash && c.Fallback != nil && len(c.Stead) == 0
}

// loadAssignment says where a cluster's workers live. On a ring, main stands beside them as the lightest host: Envoy
// scales every host's points by the lightest one's, so each worker keeps exactly PointsPerWorker points whoever dies, main
// has one, and takes over when it is the last. Elsewhere those who take over stand behind them, each line in a priority.
func loadAssignment(balance plan.Balance, c plan.Cluster) *endpoints {
	assignment := &endpoints{
		ClusterName: c.Name,
		Policy:      &endpointv3.ClusterLoadAssignment_Policy{OverprovisioningFactor: number(noSpill)},
	}
	if UsesRing(balance, c) {
		workers := group(c.Members)
		for _, e := range workers.LbEndpoints {
			e.LoadBalancingWeight = number(PointsPerWorker)
		}
		workers.LbEndpoints = append(workers.LbEndpoints, lightest(*c.Fallback))
		assignment.Endpoints = []*endpointv3.LocalityLbEndpoints{workers}
		return assignment
	}
	lines := [][]plan.Member{c.Members, c.Stead}
	if c.Fallback != nil {
		lines = append(lines, []plan.Member{*c.Fallback})
	}
	for _, members := range lines {
		if len(members) > 0 {
			next := group(members)
			next.Priority = uint32(len(assignment.Endpoints))
			assignment.Endpoints = append(assignment.Endpoints, next)
		}
	}
	return assignment
}

// group are the processes of one priority.
func group(members []plan.Member) *endpointv3.LocalityLbEndpoints {
	all := &endpointv3.LocalityLbEndpoints{}
	for _, m := range members {
		all.LbEndpoints = append(all.LbEndpoints, endpoint(m))
	}
	return all
}

// endpoint is a worker; its name, not its address, is what the ring hashes, and what access logs can show.
func endpoint(m plan.Member) *endpointv3.LbEndpoint {
	e := &endpointv3.LbEndpoint{
		HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address(m.Address), Hostname: m.Name}},
		Metadata: &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
			"envoy.lb": {Fields: map[string]*structpb.Value{"hash_key": structpb.NewStringValue(m.Name)}},
		}},
	}
	if m.Drained {
		e.HealthStatus = corev3.HealthStatus_DRAINING
	}
	return e
}

// lightest is main on a ring. Its health is not asked: were it taken off, every worker's points would change.
func lightest(main plan.Member) *endpointv3.LbEndpoint {
	e := endpoint(main)
	e.LoadBalancingWeight = number(1)
	e.GetEndpoint().HealthCheckConfig = &endpointv3.Endpoint_HealthCheckConfig{DisableActiveHealthCheck: true}
	return e
}

func wide(n uint64) *wrapperspb.UInt64Value { return wrapperspb.UInt64(n) }
