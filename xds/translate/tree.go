package translate

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"

	"axon/affinity"
	"axon/xds/plan"
)

// tree is the matcher of a virtual host: the guard, then a map of path prefixes, so that a request meets only the few
// routes that can be its own, however many there are.
//
// The longest prefix wins and a list that takes nothing answers 404 without a second try at a shorter prefix. So each
// list holds, in the plan's order, every route that paths under its prefix can match, the shorter prefixes' included: the
// tree then decides as the plan does.
func tree(routes []plan.Route, l plan.Listener) *xdsmatcherv3.Matcher {
	nodes := map[string]*xdsmatcherv3.Matcher_OnMatch{}
	for _, prefix := range prefixes(routes) {
		nodes[prefix] = action("routes", &routev3.RouteList{Routes: list(routes, l, prefix)})
	}
	prefixMap := &xdsmatcherv3.Matcher{MatcherType: &xdsmatcherv3.Matcher_MatcherTree_{MatcherTree: &xdsmatcherv3.Matcher_MatcherTree{
		Input:    path(),
		TreeType: &xdsmatcherv3.Matcher_MatcherTree_PrefixMatchMap{PrefixMatchMap: &xdsmatcherv3.Matcher_MatcherTree_MatchMap{Map: nodes}},
	}}}
	guard := route(plan.Guard, l, &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}})
	return &xdsmatcherv3.Matcher{
		MatcherType: &xdsmatcherv3.Matcher_MatcherList_{MatcherList: &xdsmatcherv3.Matcher_MatcherList{
			Matchers: []*xdsmatcherv3.Matcher_MatcherList_FieldMatcher{{Predicate: pathIs(plan.DotSegments), OnMatch: action("route", guard)}},
		}},
		OnNoMatch: &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Matcher{Matcher: prefixMap}},
	}
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

// list are the routes that paths under a prefix can match, up to the first that takes them all.
func list(routes []plan.Route, l plan.Listener, prefix string) []*routev3.Route {
	var built []*routev3.Route
	for _, r := range routes {
		for _, match := range matchesUnder(r, prefix) {
			built = append(built, route(r, l, match))
			if match.GetPrefix() != "" && len(match.Headers)+len(match.QueryParameters) == 0 {
				return built
			}
		}
	}
	return built
}

// matchesUnder are a route's matches for paths that begin with a prefix and with none of the map's longer ones.
func matchesUnder(r plan.Route, prefix string) []*routev3.RouteMatch {
	var narrowed []plan.Template
	for _, t := range r.Paths {
		narrowed = append(narrowed, t.Under(prefix)...)
	}
	matches := pathMatches(narrowed, prefix)
	for _, match := range matches {
		match.Headers = append(methodMatch(r.Methods), appserviceMatch(r.Appservice)...)
		if r.Query != nil {
			match.QueryParameters = []*routev3.QueryParameterMatcher{queryMatch(*r.Query)}
		}
	}
	return matches
}

// pathMatches are the cheapest matches for any of the templates, all under one prefix: everything, one path, or as few
// expressions as Envoy's limit lets it be.
func pathMatches(templates []plan.Template, prefix string) []*routev3.RouteMatch {
	for _, t := range templates {
		if p, ok := t.Prefix(); ok && p == prefix {
			return []*routev3.RouteMatch{{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: prefix}}}
		}
	}
	var matches []*routev3.RouteMatch
	for len(templates) > 0 {
		n := fitting(templates, prefix)
		matches = append(matches, pathMatch(templates[:n], prefix))
		templates = templates[n:]
	}
	return matches
}

func pathMatch(templates []plan.Template, prefix string) *routev3.RouteMatch {
	if exact, ok := templates[0].Exact(); ok && len(templates) == 1 {
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: exact}}
	}
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_SafeRegex{SafeRegex: regex(union(templates, prefix))}}
}

// union is one expression for any of the templates.
func union(templates []plan.Template, prefix string) string {
	tails := make([]string, len(templates))
	for i, t := range templates {
		tails[i] = strings.TrimPrefix(t.Regex(), regexp.QuoteMeta(prefix))
	}
	if len(tails) == 1 {
		return regexp.QuoteMeta(prefix) + tails[0]
	}
	return regexp.QuoteMeta(prefix) + "(?:" + strings.Join(tails, "|") + ")"
}

func methodMatch(methods []string) []*routev3.HeaderMatcher {
	if len(methods) == 0 {
		return nil
	}
	method := &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: methods[0]}}
	if len(methods) > 1 {
		method.MatchPattern = &matcherv3.StringMatcher_SafeRegex{SafeRegex: regex(strings.Join(methods, "|"))}
	}
	return []*routev3.HeaderMatcher{{Name: ":method", HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: method}}}
}

// appserviceMatch is for the second search of a route, after Axon has said whose request it is.
func appserviceMatch(group plan.GroupName) []*routev3.HeaderMatcher {
	if group == "" {
		return nil
	}
	return []*routev3.HeaderMatcher{{Name: affinity.GroupHeader, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: exactly(string(group))}}}
}

func queryMatch(q plan.Query) *routev3.QueryParameterMatcher {
	value := &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: q.Value}}
	if q.Value == "" {
		value.MatchPattern = &matcherv3.StringMatcher_SafeRegex{SafeRegex: regex(".+")}
	}
	return &routev3.QueryParameterMatcher{
		Name: q.Name, QueryParameterMatchSpecifier: &routev3.QueryParameterMatcher_StringMatch{StringMatch: value},
	}
}

func path() *xdscorev3.TypedExtensionConfig {
	return &xdscorev3.TypedExtensionConfig{Name: "path", TypedConfig: pack(&matcherv3.HttpRequestHeaderMatchInput{HeaderName: ":path"})}
}

func pathIs(pattern string) *xdsmatcherv3.Matcher_MatcherList_Predicate {
	return &xdsmatcherv3.Matcher_MatcherList_Predicate{MatchType: &xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_{
		SinglePredicate: &xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate{
			Input: path(),
			Matcher: &xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_ValueMatch{ValueMatch: &xdsmatcherv3.StringMatcher{
				MatchPattern: &xdsmatcherv3.StringMatcher_SafeRegex{SafeRegex: &xdsmatcherv3.RegexMatcher{
					EngineType: &xdsmatcherv3.RegexMatcher_GoogleRe2{GoogleRe2: &xdsmatcherv3.RegexMatcher_GoogleRE2{}}, Regex: pattern,
				}},
			}},
		},
	}}
}

func action(name string, m proto.Message) *xdsmatcherv3.Matcher_OnMatch {
	return &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Action{
		Action: &xdscorev3.TypedExtensionConfig{Name: name, TypedConfig: pack(m)},
	}}
}
