package translate

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// How soon a dead worker is noticed. Until then, retries hide it.
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
func watchHealth(c *clusterv3.Cluster, hashed bool) {
	c.HealthChecks = []*corev3.HealthCheck{{
		Timeout:            seconds(healthTimeout),
		Interval:           seconds(healthInterval),
		NoTrafficInterval:  seconds(healthInterval),
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
