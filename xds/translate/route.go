package translate

import (
	"slices"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"axon/xds/plan"
)

// routeConfiguration is all that a listener knows of where requests go: one virtual host for every name, because
// Synapse does not look at the Host header.
func routeConfiguration(p *plan.Plan, l plan.Listener) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{
		Name: l.Name,
		VirtualHosts: []*routev3.VirtualHost{{
			Name:        "matrix",
			Domains:     []string{"*"},
			Matcher:     tree(routesFor(p, l), l),
			RetryPolicy: retryPolicy(retryAlways),
		}},
		ValidateClusters: yes(),
	}
}

// routesFor leaves out what a listener does not offer.
func routesFor(p *plan.Plan, l plan.Listener) []plan.Route {
	return slices.DeleteFunc(slices.Clone(p.Routes), func(r plan.Route) bool { return r.Admin && len(l.SynapseAdmin) == 0 })
}

// route is a plan's route under one match.
func route(r plan.Route, l plan.Listener, match *routev3.RouteMatch) *routev3.Route {
	built := &routev3.Route{Name: r.Name, Match: match, TypedPerFilterConfig: filterConfig(r, l)}
	if r.Status != 0 {
		built.Action = &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: uint32(r.Status)}}
		return built
	}
	action := &routev3.RouteAction{
		ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: r.Cluster},
		Timeout:          seconds(0), // polls, joins and uploads have no end that Envoy could know; idleness has
		IdleTimeout:      seconds(idleTimeouts[r.Pace]),
		HashPolicy:       hashPolicies(r.Affinity),
	}
	if onlyReads(r.Methods) {
		action.RetryPolicy = retryPolicy(retryReads)
	}
	if r.Host != "" {
		action.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: r.Host}
	}
	built.Action = &routev3.Route_Route{Route: action}
	return built
}

// idleTimeouts are how long a request may be silent in both directions.
var idleTimeouts = map[plan.Pace]time.Duration{
	plan.Usual: 5 * time.Minute,
	plan.Poll:  time.Hour,
	plan.Slow:  time.Hour,
}

// What is sent again. Before a request has left, always; once it has, only where that can't do a thing twice.
const (
	retryAlways = "connect-failure,refused-stream,reset-before-request"
	retryReads  = retryAlways + ",reset"
)

const (
	retries       = 3
	retryBase     = 25 * time.Millisecond
	retryMax      = 100 * time.Millisecond
	otherWorkers  = 10 // tries to find a worker that has not failed the request yet; with Envoy's default of 1, many retries hit the dead one
	previousHosts = "envoy.retry_host_predicates.previous_hosts"
)

func retryPolicy(on string) *routev3.RetryPolicy {
	return &routev3.RetryPolicy{
		RetryOn:                       on,
		NumRetries:                    number(retries),
		HostSelectionRetryMaxAttempts: otherWorkers,
		RetryHostPredicate:            []*routev3.RetryPolicy_RetryHostPredicate{previousHostsPredicate()},
		RetryBackOff:                  &routev3.RetryPolicy_RetryBackOff{BaseInterval: seconds(retryBase), MaxInterval: seconds(retryMax)},
	}
}

func onlyReads(methods []string) bool {
	return len(methods) > 0 && !slices.ContainsFunc(methods, func(m string) bool { return m != "GET" && m != "HEAD" })
}

// filterConfig switches filters on that are off by default: identity where a user's requests belong together, the address
// check on the admin API.
func filterConfig(r plan.Route, l plan.Listener) map[string]*anypb.Any {
	configs := map[string]*anypb.Any{}
	if r.NeedsIdentity() {
		configs[filterExtAuthz] = pack(&authzv3.ExtAuthzPerRoute{Override: &authzv3.ExtAuthzPerRoute_CheckSettings{CheckSettings: &authzv3.CheckSettings{}}})
	}
	if r.Admin {
		configs[filterRBAC] = pack(onlyFrom(l.SynapseAdmin))
	}
	return configs
}

var _ = corev3.RoutingPriority_DEFAULT
