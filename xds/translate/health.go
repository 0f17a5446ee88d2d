package translate

import (
	"cmp"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"axon/xds/plan"
)

// How soon a dead worker is noticed where the plan does not say. Until then, retries hide it.
const (
	healthInterval = 2 * time.Second
	healthTimeout  = time.Second
	unhealthyAfter = 2
	ejectionTime   = 5 * time.Second
	ejectAfter     = 3
)

// watchHealth asks each worker's /health, which every listener of Synapse answers. Where the cluster is not hashed, a
// worker that can't be reached is also left out for a while. A ring must not lose its lightest host to that: it is the
// measure of all others.
func watchHealth(c *clusterv3.Cluster, h plan.Health, hashed bool) {
	interval := seconds(cmp.Or(h.Interval, healthInterval))
	c.HealthChecks = []*corev3.HealthCheck{{
		Timeout:            seconds(cmp.Or(h.Timeout, healthTimeout)),
		Interval:           interval,
		NoTrafficInterval:  interval,
		UnhealthyThreshold: number(unhealthyAfter),
		HealthyThreshold:   number(1),
		HealthChecker: &corev3.HealthCheck_HttpHealthCheck_{HttpHealthCheck: &corev3.HealthCheck_HttpHealthCheck{
			Path: "/health",
		}},
	}}
	if hashed {
		return
	}
	c.OutlierDetection = &clusterv3.OutlierDetection{
		Interval:                           seconds(time.Second),
		BaseEjectionTime:                   seconds(ejectionTime),
		MaxEjectionPercent:                 number(100),
		SplitExternalLocalOriginErrors:     true,
		ConsecutiveLocalOriginFailure:      number(ejectAfter),
		EnforcingConsecutive_5Xx:           number(0), // what Synapse answers says nothing of whether it is alive
		EnforcingConsecutiveGatewayFailure: number(0),
		EnforcingSuccessRate:               number(0),
		EnforcingLocalOriginSuccessRate:    number(0),
	}
}
