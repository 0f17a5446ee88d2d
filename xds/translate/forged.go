package translate

import (
	"regexp"
	"slices"
	"strings"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	upstreamcodecv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"axon/affinity"
	"axon/xds/plan"
)

// dropForged takes away, before anything reads them, the headers that only Axon and Envoy may set: the identity in each
// spelling that a WSGI-minded upstream would take for it, what is between Axon and Envoy, and Envoy's own controls.
func dropForged(id *plan.Identity) *corev3.TypedExtensionConfig {
	names := []string{affinity.UserHeader}
	if id != nil {
		names = append(names, id.Headers...)
	}
	slices.Sort(names) // whatever the order in which they are configured
	mutations := []*mutationv3.HeaderMutation{removeAll(expression(`x[-_]axon[-_].*`))}
	for _, name := range slices.Compact(names) { // one by one, because of Envoy's limit on the size of an expression
		mutations = append(mutations, removeAll(expression(strings.ReplaceAll(regexp.QuoteMeta(name), "-", "[-_]"))))
	}
	mutations = append(mutations, removeAll(&matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: "x-envoy-"}}))
	return &corev3.TypedExtensionConfig{
		Name:        "axon.drop_forged",
		TypedConfig: pack(&earlyv3.HeaderMutation{Mutations: mutations}),
	}
}

func expression(pattern string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: regex(pattern)}}
}

// dropOurs takes away, once a worker is chosen, what is between Axon and Envoy: it is nobody's business behind that.
func dropOurs() []*hcmv3.HttpFilter {
	mutations := &headermutationv3.Mutations{RequestMutations: []*mutationv3.HeaderMutation{remove(affinity.KeyHeader), remove(affinity.GroupHeader)}}
	return []*hcmv3.HttpFilter{
		filter("axon.drop_key", &headermutationv3.HeaderMutation{Mutations: mutations}),
		filter("envoy.filters.http.upstream_codec", &upstreamcodecv3.UpstreamCodec{}),
	}
}

func remove(header string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: header}}
}

func removeAll(names *matcherv3.StringMatcher) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_RemoveOnMatch_{
		RemoveOnMatch: &mutationv3.HeaderMutation_RemoveOnMatch{KeyMatcher: names},
	}}
}
