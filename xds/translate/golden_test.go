package translate

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	diff "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"axon/envoy"
	"axon/envoy/envoytest"
)

var update = flag.Bool("update", false, "rewrite the golden files, and remove stale ones")

// TestGolden compares what becomes of each deployment with testdata/CASE.envoy.yaml, and has the real Envoy validate it.
func TestGolden(t *testing.T) {
	binary := envoytest.Binary(t)
	stale, _ := filepath.Glob("testdata/*.envoy.yaml")
	for _, name := range caseNames(t) {
		golden := filepath.Join("testdata", name+".envoy.yaml")
		stale = slices.DeleteFunc(stale, func(file string) bool { return file == golden })
		t.Run(name, func(t *testing.T) {
			r := Translate(planOf(t, name))
			compare(t, golden, show(t, r))
			static, err := Static(r)
			if err != nil {
				t.Fatal(err)
			}
			bootstrap := &bootstrapv3.Bootstrap{Node: &corev3.Node{Id: "test", Cluster: "test"}, StaticResources: static}
			if err := envoy.Validate(t.Context(), binary, bootstrap); err != nil {
				t.Error(err)
			}
		})
	}
	for _, file := range stale {
		if !*update {
			t.Errorf("%s: no such case any more; run with -update", file)
		} else if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", golden, d)
	}
}

// show writes resources as YAML. Of the routes, whose tree is a megabyte as YAML, it gives one whole route of each name and then a
// line for each place where it stands.
func show(t *testing.T, r Resources) string {
	t.Helper()
	var b strings.Builder
	for _, l := range r.Listeners {
		document(t, &b, "listener", l)
	}
	for _, c := range r.Clusters {
		document(t, &b, "cluster", c)
	}
	for _, e := range r.Endpoints {
		document(t, &b, "endpoints", e)
	}
	for _, rc := range r.Routes {
		showRoutes(t, &b, rc)
	}
	return b.String()
}

func document(t *testing.T, b *strings.Builder, kind string, m proto.Message) {
	t.Helper()
	asJSON, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.JSONToYAML(asJSON)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(b, "--- # %s\n%s", kind, asYAML)
}

func showRoutes(t *testing.T, b *strings.Builder, rc *routev3.RouteConfiguration) {
	t.Helper()
	nodes := nodesOf(t, rc)
	whole := map[string]*routev3.Route{}
	for _, n := range nodes {
		for _, r := range n.routes {
			whole[r.Name] = cmp.Or(whole[r.Name], r)
		}
	}
	rc = proto.CloneOf(rc)
	rc.VirtualHosts[0].Matcher = nil
	document(t, b, "routes, without their tree", rc)
	for _, name := range slices.Sorted(maps.Keys(whole)) {
		document(t, b, "the first route of its name", whole[name])
	}
	fmt.Fprintf(b, "--- # tree: prefix and methods, then the routes under them in their order\n")
	for _, n := range nodes {
		fmt.Fprintf(b, "%s %s:\n%s", n.prefix, strings.Join(n.methods, " "), n.text)
	}
}

// line is a route's match and name.
func line(r *routev3.Route) string {
	m := r.Match
	text := cmp.Or(m.GetPath(), m.GetSafeRegex().GetRegex(), m.GetPrefix()+"…")
	for _, h := range m.Headers {
		value := h.GetStringMatch()
		text += fmt.Sprintf(" %s: %s", h.Name, cmp.Or(value.GetExact(), value.GetSafeRegex().GetRegex(), "…"+value.GetContains()+"…"))
	}
	return fmt.Sprintf("%s → %s", text, r.Name)
}

// node is a list of routes, and where in the tree it stands.
type node struct {
	prefix  string
	methods []string
	routes  []*routev3.Route
	text    string
}

// nodesOf takes a route configuration's tree apart. Methods with the same list under a prefix are one node.
func nodesOf(t *testing.T, rc *routev3.RouteConfiguration) []*node {
	t.Helper()
	tree := rc.VirtualHosts[0].Matcher
	methods := maps.Clone(tree.GetMatcherTree().GetExactMatchMap().GetMap())
	methods["other"] = tree.OnNoMatch
	var nodes []*node
	for _, method := range slices.Sorted(maps.Keys(methods)) {
		lists := methods[method].GetMatcher().GetMatcherTree().GetPrefixMatchMap().GetMap()
		for prefix, list := range lists {
			n := &node{prefix: prefix, methods: []string{method}, routes: routesOf(t, list)}
			for _, r := range n.routes {
				n.text += fmt.Sprintf("- %s\n", line(r))
			}
			same := slices.IndexFunc(nodes, func(o *node) bool { return o.prefix == prefix && o.text == n.text })
			if same < 0 {
				nodes = append(nodes, n)
			} else {
				nodes[same].methods = append(nodes[same].methods, method)
			}
		}
	}
	slices.SortFunc(nodes, func(a, b *node) int {
		return cmp.Or(cmp.Compare(a.prefix, b.prefix), slices.Compare(a.methods, b.methods))
	})
	return nodes
}

func routesOf(t *testing.T, node *xdsmatcherv3.Matcher_OnMatch) []*routev3.Route {
	t.Helper()
	list := &routev3.RouteList{}
	if err := node.GetAction().GetTypedConfig().UnmarshalTo(list); err != nil {
		t.Fatal(err)
	}
	return list.Routes
}
