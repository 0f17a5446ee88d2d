package translate

import (
	"net/netip"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	upstreamcodecv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	previoushostsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"axon/affinity"
	"axon/xds/plan"
)

const (
	filterClientAddress = "axon.client_address"
	filterRBAC          = "envoy.filters.http.rbac"
	filterExtAuthz      = "envoy.filters.http.ext_authz"
	filterLua           = "envoy.filters.http.lua"
	filterRouter        = "envoy.filters.http.router"
)

// httpFilters are what each request goes through. Those that only some routes need are there, but off.
func httpFilters(id *plan.Identity) []*hcmv3.HttpFilter {
	filters := []*hcmv3.HttpFilter{
		filter(filterClientAddress, &headermutationv3.HeaderMutation{Mutations: clientAddress()}),
		off(filter(filterLua, mend())),
		off(filter(filterRBAC, &rbacv3.RBAC{})),
	}
	if id != nil {
		filters = append(filters, off(filter(filterExtAuthz, extAuthz(id))))
	}
	return append(filters, filter(filterRouter, &routerv3.Router{SuppressEnvoyHeaders: true}))
}

func filter(name string, config proto.Message) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(config)}}
}

func off(f *hcmv3.HttpFilter) *hcmv3.HttpFilter {
	f.Disabled = true
	return f
}

// clientAddress overwrites X-Forwarded-For with the one address that Envoy trusts: Synapse believes the leftmost it gets,
// and the Matrix Authentication Service whatever a client claims.
func clientAddress() *headermutationv3.Mutations {
	return &headermutationv3.Mutations{RequestMutations: []*mutationv3.HeaderMutation{{
		Action: &mutationv3.HeaderMutation_Append{Append: setHeader("x-forwarded-for", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%")},
	}}}
}

// extAuthz asks Axon who the user is. Whatever happens to Axon, the request goes on.
func extAuthz(id *plan.Identity) *authzv3.ExtAuthz {
	return &authzv3.ExtAuthz{
		TransportApiVersion: corev3.ApiVersion_V3,
		FailureModeAllow:    true,
		ClearRouteCache:     id.Rematch,
		Services: &authzv3.ExtAuthz_GrpcService{GrpcService: &corev3.GrpcService{
			TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: IdentityCluster}},
			Timeout:         seconds(id.Timeout),
		}},
		AllowedHeaders: &matcherv3.ListStringMatcher{Patterns: []*matcherv3.StringMatcher{
			exactly("authorization"), exactly("user-agent"), exactly("x-forwarded-for"),
		}},
	}
}

func exactly(text string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: text}}
}

// dropForged takes away, before anything reads them, the headers that only Axon and Envoy may set: the identity in each
// spelling that a WSGI-minded upstream would take for it, the ring's key, and Envoy's own controls.
func dropForged() *corev3.TypedExtensionConfig {
	var mutations []*mutationv3.HeaderMutation
	for _, name := range []string{affinity.UserHeader, "x_user_identifier", "x-user_identifier", "x_user-identifier", affinity.KeyHeader, affinity.GroupHeader} {
		mutations = append(mutations, remove(name))
	}
	mutations = append(mutations, &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_RemoveOnMatch_{
		RemoveOnMatch: &mutationv3.HeaderMutation_RemoveOnMatch{
			KeyMatcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: "x-envoy-"}},
		},
	}})
	return &corev3.TypedExtensionConfig{
		Name:        "axon.drop_forged",
		TypedConfig: pack(&earlyv3.HeaderMutation{Mutations: mutations}),
	}
}

// dropKey takes the ring's key away once a worker is chosen: it is nobody's business behind Envoy.
func dropKey() []*hcmv3.HttpFilter {
	mutations := &headermutationv3.Mutations{RequestMutations: []*mutationv3.HeaderMutation{remove(affinity.KeyHeader)}}
	return []*hcmv3.HttpFilter{
		filter("axon.drop_key", &headermutationv3.HeaderMutation{Mutations: mutations}),
		filter("envoy.filters.http.upstream_codec", &upstreamcodecv3.UpstreamCodec{}),
	}
}

func remove(header string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: header}}
}

// onlyFrom lets requests from some addresses through and answers 403 to others.
func onlyFrom(sources []netip.Prefix) *rbacv3.RBACPerRoute {
	var principals []*rbacconfigv3.Principal
	for _, source := range sources {
		principals = append(principals, &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_RemoteIp{RemoteIp: cidr(source)}})
	}
	anything := &rbacconfigv3.Permission{Rule: &rbacconfigv3.Permission_Any{Any: true}}
	return &rbacv3.RBACPerRoute{Rbac: &rbacv3.RBAC{Rules: &rbacconfigv3.RBAC{
		Action:   rbacconfigv3.RBAC_ALLOW,
		Policies: map[string]*rbacconfigv3.Policy{"synapse_admin": {Permissions: []*rbacconfigv3.Permission{anything}, Principals: principals}},
	}}}
}

func cidr(p netip.Prefix) *corev3.CidrRange {
	return &corev3.CidrRange{AddressPrefix: p.Addr().String(), PrefixLen: number(uint32(p.Bits()))}
}

func previousHostsPredicate() *routev3.RetryPolicy_RetryHostPredicate {
	return &routev3.RetryPolicy_RetryHostPredicate{
		Name:       previousHosts,
		ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{TypedConfig: pack(&previoushostsv3.PreviousHostsPredicate{})},
	}
}
