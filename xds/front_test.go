package xds

import (
	"testing"
	"time"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/fault/v3"
	httpfaultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"axon/xds/translate"
)

// front is a small front door: "/hello" answers by itself, everything else goes to the cluster "main".
func front(t *testing.T) translate.Resources {
	t.Helper()
	return translate.Resources{
		Listeners: []*listenerv3.Listener{frontListener(t, "http", "http")},
		Routes:    []*routev3.RouteConfiguration{frontRoutes(t, "http", direct("hello"), to("main"))},
		Clusters:  []*clusterv3.Cluster{edsCluster("main")},
		Endpoints: []*endpointv3.ClusterLoadAssignment{assignment("main", 8008)},
	}
}

// delayedListener holds each request up, after its route was found.
func delayedListener(t *testing.T, by time.Duration) *listenerv3.Listener {
	t.Helper()
	delay := &faultv3.FaultDelay{
		FaultDelaySecifier: &faultv3.FaultDelay_FixedDelay{FixedDelay: durationpb.New(by)},
		Percentage:         &typev3.FractionalPercent{Numerator: 100},
	}
	return frontListener(t, "http", "http", &hcmv3.HttpFilter{
		Name: "fault", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: anyOf(t, &httpfaultv3.HTTPFault{Delay: delay})},
	})
}

// frontListener has port 0: Envoy takes a free one. The filters stand before the router.
func frontListener(t *testing.T, name, routes string, filters ...*hcmv3.HttpFilter) *listenerv3.Listener {
	t.Helper()
	manager := &hcmv3.HttpConnectionManager{
		StatPrefix: "front",
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
			RouteConfigName: routes, ConfigSource: aggregated(),
		}},
		HttpFilters: append(filters, &hcmv3.HttpFilter{
			Name: "router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: anyOf(t, &routerv3.Router{})},
		}),
	}
	return &listenerv3.Listener{
		Name:    name,
		Address: socket("127.0.0.1", 0),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name: "hcm", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: anyOf(t, manager)},
		}}}},
	}
}

// frontRoutes is a match tree over the path: hello for "/hello", rest for everything else.
func frontRoutes(t *testing.T, name string, hello, rest *routev3.Route) *routev3.RouteConfiguration {
	t.Helper()
	return &routev3.RouteConfiguration{Name: name, VirtualHosts: []*routev3.VirtualHost{{
		Name: "all", Domains: []string{"*"},
		Matcher: prefixes(t, map[string]*xdsmatcherv3.Matcher_OnMatch{
			"/hello": action(t, hello),
			"/":      action(t, &routev3.RouteList{Routes: []*routev3.Route{rest}}),
		}),
	}}}
}

func prefixes(t *testing.T, m map[string]*xdsmatcherv3.Matcher_OnMatch) *xdsmatcherv3.Matcher {
	t.Helper()
	return &xdsmatcherv3.Matcher{MatcherType: &xdsmatcherv3.Matcher_MatcherTree_{MatcherTree: &xdsmatcherv3.Matcher_MatcherTree{
		Input: &xdscorev3.TypedExtensionConfig{Name: "path", TypedConfig: anyOf(t,
			&matcherv3.HttpRequestHeaderMatchInput{HeaderName: ":path"})},
		TreeType: &xdsmatcherv3.Matcher_MatcherTree_PrefixMatchMap{
			PrefixMatchMap: &xdsmatcherv3.Matcher_MatcherTree_MatchMap{Map: m},
		},
	}}}
}

func action(t *testing.T, m proto.Message) *xdsmatcherv3.Matcher_OnMatch {
	t.Helper()
	return &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Action{
		Action: &xdscorev3.TypedExtensionConfig{Name: "route", TypedConfig: anyOf(t, m)},
	}}
}

func anywhere() *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
}

func direct(body string) *routev3.Route {
	return &routev3.Route{Match: anywhere(), Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{
		Status: 200,
		Body:   &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: body}},
	}}}
}

func to(cluster string) *routev3.Route {
	return &routev3.Route{Match: anywhere(), Action: &routev3.Route_Route{Route: &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster},
	}}}
}

// hashed goes to main by a hash of the path, cut out by a regular expression.
func hashed(regex, substitution string) *routev3.Route {
	route := to("main")
	route.GetRoute().HashPolicy = []*routev3.RouteAction_HashPolicy{{
		PolicySpecifier: &routev3.RouteAction_HashPolicy_Header_{Header: &routev3.RouteAction_HashPolicy_Header{
			HeaderName: ":path",
			RegexRewrite: &matcherv3.RegexMatchAndSubstitute{
				Pattern: &matcherv3.RegexMatcher{Regex: regex}, Substitution: substitution,
			},
		}},
	}}
	return route
}

func edsCluster(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 name,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: aggregated()},
	}
}

func assignment(cluster string, port uint32) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{
		ClusterName: cluster,
		Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: socket("127.0.0.1", port)}},
		}}}},
	}
}

func socket(host string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

func aggregated() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		ResourceApiVersion:    corev3.ApiVersion_V3,
	}
}

// anyOf marshals deterministically, as versions by content need it.
func anyOf(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a := new(anypb.Any)
	if err := anypb.MarshalFrom(a, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		t.Fatal(err)
	}
	return a
}
