package translate

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"axon/affinity"
)

type hashPolicy = routev3.RouteAction_HashPolicy

// hashPolicies say what Envoy hashes for an affinity. The first that applies ends the search.
//
// A user's key comes from Axon; when Axon is away Envoy cuts the same key out of a native token, and hashes any other
// token as it is.
func hashPolicies(a affinity.Affinity) []*hashPolicy {
	switch a {
	case affinity.User:
		return []*hashPolicy{
			byHeader(affinity.KeyHeader, ""),
			byHeader("authorization", affinity.NativeToken),
			byQuery("access_token"),
			bySource(),
		}
	case affinity.Room:
		return []*hashPolicy{byHeader(":path", affinity.RoomPath)}
	case affinity.Origin:
		return []*hashPolicy{byHeader("authorization", affinity.XMatrixOrigin), bySource()}
	case affinity.Source:
		return []*hashPolicy{bySource()}
	default:
		return nil
	}
}

func byHeader(name, pattern string) *hashPolicy {
	header := &routev3.RouteAction_HashPolicy_Header{HeaderName: name}
	if pattern != "" {
		header.RegexRewrite = rewrite(pattern)
	}
	return &hashPolicy{PolicySpecifier: &routev3.RouteAction_HashPolicy_Header_{Header: header}, Terminal: true}
}

func byQuery(name string) *hashPolicy {
	return &hashPolicy{Terminal: true, PolicySpecifier: &routev3.RouteAction_HashPolicy_QueryParameter_{
		QueryParameter: &routev3.RouteAction_HashPolicy_QueryParameter{Name: name},
	}}
}

func bySource() *hashPolicy {
	return &hashPolicy{Terminal: true, PolicySpecifier: &routev3.RouteAction_HashPolicy_ConnectionProperties_{
		ConnectionProperties: &routev3.RouteAction_HashPolicy_ConnectionProperties{SourceIp: true},
	}}
}
