package translate

import (
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"axon/xds/plan"
)

// routeConfiguration is all that a listener knows of where requests go. Synapse does not look at the Host header, so one
// virtual host has every name that no other one has.
func routeConfiguration(p *plan.Plan, l plan.Listener) *routev3.RouteConfiguration {
	rc := &routev3.RouteConfiguration{Name: l.Name, ValidateClusters: yes(), IgnorePortInHostMatching: true}
	if l.RedirectHTTPS {
		rc.VirtualHosts = []*routev3.VirtualHost{redirect()}
		return rc
	}
	rc.VirtualHosts = []*routev3.VirtualHost{virtualHost("matrix", []string{"*"}, asked(p.Routes, p.Identity), l)}
	for _, h := range p.VirtualHosts {
		rc.VirtualHosts = append(rc.VirtualHosts, virtualHost(h.Name, h.Domains, asked(h.Routes, p.Identity), l))
	}
	return rc
}

func virtualHost(name string, domains []string, routes []plan.Route, l plan.Listener) *routev3.VirtualHost {
	return &routev3.VirtualHost{
		Name:        name,
		Domains:     domains,
		Matcher:     tree(offered(routes, l), l),
		RetryPolicy: retryPolicy(retryAlways),
	}
}

// offered leaves out what a listener does not offer.
func offered(routes []plan.Route, l plan.Listener) []plan.Route {
	return slices.DeleteFunc(slices.Clone(routes), func(r plan.Route) bool { return r.Admin && len(l.SynapseAdmin) == 0 })
}

// redirect sends everything to the same URL under https. A 308 keeps the method and the body.
func redirect() *routev3.VirtualHost {
	return &routev3.VirtualHost{
		Name:    "redirect_https",
		Domains: []string{"*"},
		Routes: []*routev3.Route{{
			Name:  "redirect_https",
			Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_Redirect{Redirect: &routev3.RedirectAction{
				SchemeRewriteSpecifier: &routev3.RedirectAction_HttpsRedirect{HttpsRedirect: true},
				ResponseCode:           routev3.RedirectAction_PERMANENT_REDIRECT,
			}},
		}},
	}
}
