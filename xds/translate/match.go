package translate

import (
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"axon/affinity"
	"axon/xds/plan"
)

// matchesUnder are a route's matches for paths that begin with a prefix and with none of the map's longer ones. The tree has
// seen to the method.
func matchesUnder(r plan.Route, prefix string) []*routev3.RouteMatch {
	var narrowed []plan.Template
	for _, t := range r.Paths {
		narrowed = append(narrowed, t.Under(prefix)...)
	}
	matches := pathMatches(narrowed, prefix)
	for _, match := range matches {
		match.Headers = append(appserviceMatch(r.Appservice), queryMatch(r.Query)...)
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

// pathMatch is one path, or one expression. With ^ before a literal, RE2 compares that by itself and leaves only the rest to
// its automaton.
func pathMatch(templates []plan.Template, prefix string) *routev3.RouteMatch {
	if exact, ok := templates[0].Exact(); ok && len(templates) == 1 {
		return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: exact}}
	}
	expression := "^" + regexp.QuoteMeta(prefix) + union(templates, prefix)
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_SafeRegex{SafeRegex: regex(expression)}}
}

// union is one expression for what any of the templates has after the prefix.
func union(templates []plan.Template, prefix string) string {
	tails := make([]string, len(templates))
	for i, t := range templates {
		tails[i] = strings.TrimPrefix(t.Regex(), regexp.QuoteMeta(prefix))
	}
	if len(tails) == 1 {
		return tails[0]
	}
	return "(?:" + strings.Join(tails, "|") + ")"
}

// appserviceMatch is for the second search of a route, after Axon has said whose request it is.
func appserviceMatch(group plan.GroupName) []*routev3.HeaderMatcher {
	if group == "" {
		return nil
	}
	return []*routev3.HeaderMatcher{headerMatch(affinity.GroupHeader, exactly(string(group)))}
}

// queryMatch looks for a parameter in the path by an expression, because to take the query apart costs Envoy more. A certain
// value is rarely there, and where its text is not, Envoy need not even do that.
func queryMatch(q *plan.Query) (matches []*routev3.HeaderMatcher) {
	if q == nil {
		return nil
	}
	if q.Value != "" {
		matches = append(matches, headerMatch(":path", &matcherv3.StringMatcher{
			MatchPattern: &matcherv3.StringMatcher_Contains{Contains: q.Name + "=" + q.Value},
		}))
	}
	return append(matches, headerMatch(":path", &matcherv3.StringMatcher{
		MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: regex(q.Regex())},
	}))
}

func headerMatch(name string, value *matcherv3.StringMatcher) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: value}}
}
