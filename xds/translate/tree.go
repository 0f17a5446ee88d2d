package translate

import (
	"maps"
	"slices"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"

	"axon/xds/plan"
)

type (
	matcher = xdsmatcherv3.Matcher
	onMatch = xdsmatcherv3.Matcher_OnMatch
	onEach  = xdsmatcherv3.Matcher_MatcherTree_MatchMap
)

// tree is the matcher of a virtual host: a map of methods, and for each a map of path prefixes, so that a request meets only
// the few routes that can be its own, however many there are. bench/ measures what that costs.
func tree(routes []plan.Route, l plan.Listener) *matcher {
	methods := map[string]*onMatch{}
	for _, r := range routes {
		for _, method := range r.Methods {
			if methods[method] == nil {
				methods[method] = nested(byPrefix(taking(routes, method), l))
			}
		}
	}
	others := byPrefix(taking(routes, ""), l)
	if len(methods) == 0 {
		return others
	}
	return &matcher{
		MatcherType: &xdsmatcherv3.Matcher_MatcherTree_{MatcherTree: &xdsmatcherv3.Matcher_MatcherTree{
			Input:    header(":method"),
			TreeType: &xdsmatcherv3.Matcher_MatcherTree_ExactMatchMap{ExactMatchMap: &onEach{Map: methods}},
		}},
		OnNoMatch: nested(others),
	}
}

// taking are the routes that a method can take, each for that method alone; with none, those that any other method can take.
func taking(routes []plan.Route, method string) (taken []plan.Route) {
	for _, r := range routes {
		if len(r.Methods) > 0 && !slices.Contains(r.Methods, method) {
			continue
		}
		if method != "" {
			r.Methods = []string{method}
		}
		taken = append(taken, r)
	}
	return taken
}

// byPrefix is the part of the tree below a method. The longest prefix wins, and a list that takes nothing answers 404 without
// a second try at a shorter prefix. So each list holds, in the plan's order, every route that paths under its prefix can
// match, the shorter prefixes' included: the tree then decides as the plan does.
func byPrefix(routes []plan.Route, l plan.Listener) *matcher {
	nodes := map[string]*onMatch{}
	for _, prefix := range prefixes(routes) {
		nodes[prefix] = action("routes", &routev3.RouteList{Routes: list(routes, l, prefix)})
	}
	return &matcher{MatcherType: &xdsmatcherv3.Matcher_MatcherTree_{MatcherTree: &xdsmatcherv3.Matcher_MatcherTree{
		Input:    header(":path"),
		TreeType: &xdsmatcherv3.Matcher_MatcherTree_PrefixMatchMap{PrefixMatchMap: &onEach{Map: nodes}},
	}}}
}

// prefixes are all literals that some route's paths begin with.
func prefixes(routes []plan.Route) []string {
	all := map[string]bool{}
	for _, r := range routes {
		for _, t := range r.Paths {
			for _, prefix := range t.Prefixes() {
				all[prefix] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// list are the routes that paths under a prefix can match, up to the first that takes them all. The guard stands before all
// that match more than one path: what is spelled out needs none, and it costs an expression.
func list(routes []plan.Route, l plan.Listener, prefix string) []*routev3.Route {
	var built []*routev3.Route
	guarded := false
	for _, r := range routes {
		for _, match := range matchesUnder(r, prefix) {
			if !guarded && match.GetPath() == "" {
				guarded = true
				built = append(built, guard(l))
			}
			built = append(built, route(r, l, match))
			if match.GetPrefix() != "" && len(match.Headers) == 0 {
				return built
			}
		}
	}
	return built
}

func guard(l plan.Listener) *routev3.Route {
	return route(plan.Guard, l, &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_SafeRegex{SafeRegex: regex(plan.DotSegments)}})
}

func header(name string) *xdscorev3.TypedExtensionConfig {
	return &xdscorev3.TypedExtensionConfig{Name: name, TypedConfig: pack(&matcherv3.HttpRequestHeaderMatchInput{HeaderName: name})}
}

func nested(m *matcher) *onMatch {
	return &onMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Matcher{Matcher: m}}
}

func action(name string, m proto.Message) *onMatch {
	return &onMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Action{
		Action: &xdscorev3.TypedExtensionConfig{Name: name, TypedConfig: pack(m)},
	}}
}
