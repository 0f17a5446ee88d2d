package envoy

import (
	"context"
	"fmt"
	"strings"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/encoding/protojson"
)

// Cluster is what Envoy says of one cluster.
type Cluster struct {
	Name  string
	Hosts []Host
	// Checked says that Envoy asks its hosts for their health.
	Checked bool
	// Connections counts those that are open to hosts of the cluster, also to hosts that it has no more. Envoy closes the latter as
	// soon as no request is under way on them.
	Connections uint64
}

// Host is what Envoy says of one host of a cluster. The counters begin with the host object: an Envoy that gets another address,
// or another definition of a cluster with host names, makes new ones.
type Host struct {
	// Name is the hostname of the endpoint: the worker's name.
	Name string
	// Healthy says that neither a health check nor outlier detection has anything against it.
	Healthy bool
	// Draining says that it gets nothing new because of its EDS health status.
	Draining bool
	// Active are the requests under way, Total all since the host is known, Errors those among them that ended with 5xx or
	// without an answer.
	Active, Total, Errors uint64
	Connections           uint64
}

// Clusters gives the clusters as they are now, in no order. It takes two calls, between which numbers go on to change.
func (a *Admin) Clusters(ctx context.Context) ([]Cluster, error) {
	stats, err := a.Stats(ctx, `^cluster\..*\.(upstream_cx_active|health_check\.attempt)$`)
	if err != nil {
		return nil, err
	}
	body, err := a.call(ctx, "GET", "/clusters?format=json")
	if err != nil {
		return nil, err
	}
	answer := &adminv3.Clusters{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, answer); err != nil {
		return nil, fmt.Errorf("envoy admin %s: /clusters: %w", a.address, err)
	}
	var all []Cluster
	for _, c := range answer.ClusterStatuses {
		in := "cluster." + statName(c) + "."
		_, checked := stats[in+"health_check.attempt"]
		cluster := Cluster{Name: c.Name, Checked: checked, Connections: stats[in+"upstream_cx_active"]}
		for _, h := range c.HostStatuses {
			cluster.Hosts = append(cluster.Hosts, hostOf(h))
		}
		all = append(all, cluster)
	}
	return all, nil
}

// statName is a cluster's name as its statistics have it.
func statName(c *adminv3.ClusterStatus) string {
	name := c.ObservabilityName
	if name == "" {
		name = c.Name
	}
	return strings.ReplaceAll(name, ":", "_")
}

func hostOf(h *adminv3.HostStatus) Host {
	s := h.HealthStatus
	host := Host{
		Name:     h.Hostname,
		Healthy:  !s.GetFailedActiveHealthCheck() && !s.GetFailedOutlierCheck() && !s.GetPendingActiveHc() && !s.GetActiveHcTimeout(),
		Draining: s.GetEdsHealthStatus() == corev3.HealthStatus_DRAINING,
	}
	for _, stat := range h.Stats {
		switch stat.Name {
		case "rq_active":
			host.Active = stat.Value
		case "rq_total":
			host.Total = stat.Value
		case "rq_error":
			host.Errors = stat.Value
		case "cx_active":
			host.Connections = stat.Value
		}
	}
	return host
}
