package xds

import (
	"cmp"
	"errors"
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"

	"axon/xds/translate"
)

// titles are what errors call a resource.
var titles = map[Type]string{
	Listener: "listener",
	Route:    "route configuration",
	Cluster:  "cluster",
	Endpoint: "load assignment",
}

// checker collects the faults of one set of resources.
type checker struct {
	resources map[Type][]types.Resource
	known     map[Type]map[string]bool
	named     map[Type]map[string]bool // what something refers to
	faults    []error
}

// check finds what Envoy would refuse, or worse, accept: an empty set takes everything down, Envoy's own validate_clusters does
// not look into a match tree, and one bad regular expression blocks every later change of its route configuration.
func check(resources map[Type][]types.Resource) error {
	c := &checker{
		resources: resources,
		known:     map[Type]map[string]bool{},
		named:     map[Type]map[string]bool{},
	}
	for _, t := range Types {
		c.known[t], c.named[t] = map[string]bool{}, map[string]bool{}
		c.names(t)
	}
	c.known[Cluster][translate.ControlPlane] = true // of the bootstrap
	c.whole()
	c.assignments()
	for _, t := range Types {
		for _, r := range resources[t] {
			c.inside(t, r)
		}
	}
	c.unnamed(Endpoint, "no cluster of type EDS uses it")
	c.unnamed(Route, "no listener names it")
	return errors.Join(c.faults...)
}

func (c *checker) fault(t Type, name, format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf("%s %q: "+format, append([]any{titles[t], name}, args...)...))
}

// names refuses twins, of which go-control-plane would silently keep the last.
func (c *checker) names(t Type) {
	for i, r := range c.resources[t] {
		name := cachev3.GetResourceName(r)
		switch {
		case name == "":
			c.faults = append(c.faults, fmt.Errorf("%s %d of %d: no name", titles[t], i+1, len(c.resources[t])))
		case c.known[t][name]:
			c.fault(t, name, "stands here twice")
		}
		c.known[t][name] = true
	}
}

func (c *checker) whole() {
	for _, t := range []Type{Listener, Route} {
		if len(c.resources[t]) == 0 {
			c.faults = append(c.faults, fmt.Errorf("no %s: an Envoy that got this would serve nothing", titles[t]))
		}
	}
	for _, r := range c.resources[Route] {
		if route := r.(*routev3.RouteConfiguration); !routes(route) {
			c.fault(Route, route.GetName(), "no routes")
		}
	}
}

func routes(c *routev3.RouteConfiguration) bool {
	for _, host := range c.GetVirtualHosts() {
		if len(host.GetRoutes()) > 0 || host.GetMatcher() != nil {
			return true
		}
	}
	return false
}

func (c *checker) assignments() {
	for _, r := range c.resources[Cluster] {
		name := assignmentName(r.(*clusterv3.Cluster))
		if name == "" {
			continue
		}
		c.named[Endpoint][name] = true
		if !c.known[Endpoint][name] {
			c.fault(Cluster, cachev3.GetResourceName(r), "no load assignment %q, and Envoy would wait for it", name)
		}
	}
}

// assignmentName is empty for a cluster that holds its endpoints itself.
func assignmentName(c *clusterv3.Cluster) string {
	if c.GetType() != clusterv3.Cluster_EDS {
		return ""
	}
	return cmp.Or(c.GetEdsClusterConfig().GetServiceName(), c.GetName())
}

// unnamed refuses what nothing refers to: an Envoy never asks for it, and so never holds all of a snapshot.
func (c *checker) unnamed(t Type, text string) {
	for _, r := range c.resources[t] {
		if name := cachev3.GetResourceName(r); name != "" && !c.named[t][name] {
			c.fault(t, name, "%s", text)
		}
	}
}
