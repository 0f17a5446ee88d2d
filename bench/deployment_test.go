//go:build linux

package bench

import (
	"maps"
	"slices"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"

	"axon/bench/load"
	"axon/xds/plan"
	"axon/xds/topology"
	"axon/xds/translate"
)

const (
	treeListener = "tree"
	bareListener = "bare"
	// linearListener has one list, with an expression for each pattern.
	linearListener = "linear"
)

// again is the second of two listeners for one kind of request.
func again(kind string) string { return kind + " again" }

// roles are the workers of a homeserver that has them for everything.
var roles = []string{
	"sync-1", "sync-2", "sync-3", "initial-sync-1", "client-reader-1", "client-reader-2", "event-creator-1", "event-creator-2",
	"federation-inbound-1", "federation-inbound-2", "federation-reader-1", "media-1", "user-dir-1", "login-1", "sso-1",
}

// resources are those of the plan, with more listeners: for each kind of request two where its route takes everything, one
// with a bare route, one with a list of expressions.
func resources(b *testing.B, dir string) translate.Resources {
	b.Helper()
	p := planned(b, dir)
	singles := slices.Collect(maps.Keys(kinds))
	for kind := range kinds {
		singles = append(singles, again(kind))
	}
	for _, name := range append(singles, bareListener, linearListener) {
		l := p.Listeners[0]
		l.Name = name
		p.Listeners = append(p.Listeners, l)
	}
	r := translate.Translate(p)
	for _, c := range r.Clusters {
		c.HealthChecks = nil // they take time, too
	}
	for _, routes := range r.Routes {
		host := routes.VirtualHosts[0]
		if k, single := kinds[strings.TrimSuffix(routes.Name, again(""))]; single {
			only(host, find(b, host, k.route))
		} else if routes.Name == linearListener {
			host.Matcher, host.Routes = nil, linear(b, p, host)
		} else if routes.Name == bareListener {
			host.RetryPolicy = nil
			only(host, &routev3.Route{Action: &routev3.Route_Route{Route: &routev3.RouteAction{
				ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: string(plan.Main)},
			}}})
		}
	}
	return r
}

// linear are the plan's routes in its order as one list of expressions, one for each path, whatever the method: what Synapse's
// documentation has, and what most put into their proxies.
func linear(b *testing.B, p *plan.Plan, tree proto.Message) (list []*routev3.Route) {
	b.Helper()
	for _, r := range p.Routes {
		built := find(b, tree, r.Name)
		for _, t := range r.Paths {
			for range t.Prefixes() {
				one := proto.CloneOf(built)
				expression := &matcherv3.RegexMatcher{Regex: "^" + t.Regex() + "$"}
				one.Match = &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_SafeRegex{SafeRegex: expression}}
				list = append(list, one)
			}
		}
	}
	return list
}

// only makes a route take everything.
func only(host *routev3.VirtualHost, r *routev3.Route) {
	r.Match = &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
	host.Matcher, host.Routes = nil, []*routev3.Route{r}
}

// planned is the plan of a homeserver with workers for everything, one listener and no identity server.
func planned(b *testing.B, dir string) *plan.Plan {
	b.Helper()
	section := topology.Section{ServerName: "example.org", Main: worker(b, topology.MainName)}
	for _, name := range roles {
		w := topology.WorkerConfig{Name: name, Address: worker(b, name)}
		if strings.HasPrefix(name, "media") {
			w.Resources = []string{"client", "federation", "media"}
		}
		section.Workers = append(section.Workers, w)
	}
	topo, err := topology.Load(topology.Config{Topology: section}, nil, dir)
	if err != nil {
		b.Fatal(err)
	}
	p, err := plan.Build(topo, plan.Config{Listeners: []plan.ListenerConfig{{Address: "127.0.0.1:1", SynapseAdmin: []string{"127.0.0.1"}}}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	p.Listeners[0].Name, p.Listeners[0].Address.Port = treeListener, 0 // any free one
	return p
}

// worker starts one and gives its address.
func worker(b *testing.B, name string) string {
	b.Helper()
	w, err := load.NewWorker(name, "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.Close)
	return w.Address()
}

// find gives the first route of a name in a tree.
func find(b *testing.B, tree proto.Message, name string) (found *routev3.Route) {
	b.Helper()
	err := protorange.Range(tree.ProtoReflect(), func(v protopath.Values) error {
		if m, ok := v.Index(-1).Value.Interface().(protoreflect.Message); ok && found == nil {
			if r, ok := m.Interface().(*routev3.Route); ok && r.Name == name {
				found = proto.CloneOf(r)
			}
		}
		return nil
	})
	if err != nil || found == nil {
		b.Fatalf("route %q: not in the tree (%v)", name, err)
	}
	return found
}
