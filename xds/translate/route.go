package translate

import (
	"slices"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"axon/xds/plan"
)

// route is a plan's route under one match.
func route(r plan.Route, l plan.Listener, match *routev3.RouteMatch) *routev3.Route {
	built := &routev3.Route{Name: r.Name, Match: match, TypedPerFilterConfig: filterConfig(r, l)}
	if r.Status != 0 {
		direct(built, r)
		return built
	}
	built.Action = &routev3.Route_Route{Route: forward(r)}
	if r.ForwardHost != "" {
		built.RequestHeadersToAdd = []*corev3.HeaderValueOption{setHeader("x-forwarded-host", r.ForwardHost)}
	}
	if r.Mended {
		built.ResponseHeadersToAdd = ifAbsent(cors)
	}
	return built
}

// direct is an answer of Envoy's own. Errors get their body from the listener's local replies.
func direct(built *routev3.Route, r plan.Route) {
	answer := &routev3.DirectResponseAction{Status: uint32(r.Status)}
	if r.Reply != "" {
		answer.Body = &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: r.Reply}}
		built.ResponseHeadersToAdd = append(slices.Clone(cors), setHeader("content-type", "application/json"))
	}
	built.Action = &routev3.Route_DirectResponse{DirectResponse: answer}
}

func forward(r plan.Route) *routev3.RouteAction {
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
	return action
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

// filterConfig switches filters on that are off by default: identity where a user's requests belong together, learning from
// logins, the address check on the admin API.
func filterConfig(r plan.Route, l plan.Listener) map[string]*anypb.Any {
	configs := map[string]*anypb.Any{}
	if r.Identify {
		configs[filterExtAuthz] = pack(&authzv3.ExtAuthzPerRoute{Override: &authzv3.ExtAuthzPerRoute_CheckSettings{CheckSettings: &authzv3.CheckSettings{}}})
	}
	if r.Learn != plan.Nothing {
		configs[filterExtProc] = pack(learnFrom(r.Learn))
	}
	if r.Admin {
		configs[filterRBAC] = pack(onlyFrom(l.SynapseAdmin))
	}
	if r.Mended {
		configs[filterLua] = pack(&luav3.LuaPerRoute{})
	}
	return configs
}
