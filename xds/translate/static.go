package translate

import (
	"fmt"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
)

// Static puts the resources into the form of an Envoy that has no control plane: routes inside their listeners, endpoints
// inside their clusters. It is what axon render prints and what a real Envoy is asked to validate. The error names a
// listener or cluster whose other half is missing.
func Static(r Resources) (*bootstrapv3.Bootstrap_StaticResources, error) {
	static := &bootstrapv3.Bootstrap_StaticResources{}
	for _, l := range r.Listeners {
		inlined, err := inlineRoutes(l, r)
		if err != nil {
			return nil, err
		}
		static.Listeners = append(static.Listeners, inlined)
	}
	for _, c := range r.Clusters {
		inlined, err := inlineEndpoints(c, r)
		if err != nil {
			return nil, err
		}
		static.Clusters = append(static.Clusters, inlined)
	}
	return static, nil
}

func inlineRoutes(l *listenerv3.Listener, r Resources) (*listenerv3.Listener, error) {
	l = proto.CloneOf(l)
	if err := inlineCertificates(l); err != nil {
		return nil, err
	}
	filter := l.FilterChains[0].Filters[0]
	manager := &hcmv3.HttpConnectionManager{}
	if err := filter.GetTypedConfig().UnmarshalTo(manager); err != nil {
		return nil, fmt.Errorf("listener %q: %w", l.Name, err)
	}
	for _, routes := range r.Routes {
		if routes.Name == manager.GetRds().GetRouteConfigName() {
			manager.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes}
			filter.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: pack(manager)}
			return l, nil
		}
	}
	return nil, fmt.Errorf("listener %q: no routes", l.Name)
}

func inlineEndpoints(c *clusterv3.Cluster, r Resources) (*clusterv3.Cluster, error) {
	if c.EdsClusterConfig == nil {
		return c, nil
	}
	for _, assignment := range r.Endpoints {
		if assignment.ClusterName == c.Name {
			c = proto.CloneOf(c)
			c.EdsClusterConfig = nil
			c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
			c.LoadAssignment = assignment
			return c, nil
		}
	}
	return nil, fmt.Errorf("cluster %q: no endpoints", c.Name)
}
