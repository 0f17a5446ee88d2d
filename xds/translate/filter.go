package translate

import (
	"net/netip"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	previoushostsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"axon/xds/plan"
)

const (
	filterClientAddress = "axon.client_address"
	filterRBAC          = "envoy.filters.http.rbac"
	filterExtAuthz      = "envoy.filters.http.ext_authz"
	filterExtProc       = "envoy.filters.http.ext_proc"
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
	if id != nil && id.Learn {
		filters = append(filters, off(filter(filterExtProc, learn()))) // the last: answers pass it first, as they came
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

func exactly(text string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: text}}
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
