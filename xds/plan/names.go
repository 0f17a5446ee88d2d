package plan

import (
	"axon/xds/topology"
)

// Resource names are a contract: Envoy's metrics, access logs and the dashboards of operators are keyed by them.

// ListenerName names a listener, and its route configuration, for its address.
func ListenerName(a topology.Address) string { return "http_" + a.String() }

// HashedClusterName names the hashed cluster of a group whose own cluster is not.
func HashedClusterName(g GroupName) string { return string(g) + "_hashed" }

// ResourceClusterName names the cluster of a group for a resource that another listener serves.
func ResourceClusterName(g GroupName, r topology.Resource) string { return string(g) + "_" + string(r) }

// VirtualHostName names a virtual host for its first domain.
func VirtualHostName(domain string) string { return "host_" + domain }
