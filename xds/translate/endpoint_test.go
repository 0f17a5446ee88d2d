package translate

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"

	"axon/xds/plan"
	"axon/xds/topology"
)

func TestADrainedWorkerIsDrainingAndNothingElse(t *testing.T) {
	c := plan.Cluster{Name: "sync", Hashed: true, Fallback: &plan.Member{Name: "main", Address: topology.Address{Host: "127.0.0.1", Port: 1}}}
	for i, name := range []string{"sync-1", "sync-2"} {
		c.Members = append(c.Members, plan.Member{Name: name, Address: topology.Address{Host: "127.0.0.1", Port: uint16(2 + i)}})
	}
	p := &plan.Plan{Balance: plan.RingHash, Clusters: []plan.Cluster{c}}
	for _, balance := range []plan.Balance{plan.RingHash, plan.Maglev} {
		before := loadAssignment(balance, c)
		after := loadAssignment(balance, p.Drain([]string{"sync-2"}).Clusters[0])
		if got := after.Endpoints[0].LbEndpoints[1].HealthStatus; got != corev3.HealthStatus_DRAINING {
			t.Errorf("%s: %s", balance, got)
		}
		after.Endpoints[0].LbEndpoints[1].HealthStatus = corev3.HealthStatus_UNKNOWN
		if !proto.Equal(before, after) {
			t.Errorf("%s: more has changed: %v, was %v", balance, after, before)
		}
	}
}
