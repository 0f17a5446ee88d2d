package xds

import (
	"slices"
	"strings"
	"testing"

	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/aggregate/v3" // in references
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"

	"axon/xds/translate"
)

const tree = `virtual_hosts[0].matcher.matcher_tree.prefix_match_map.map`

func TestNewSnapshotRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(*translate.Resources)
		want   []string
	}{
		"nothing at all": {
			change: func(r *translate.Resources) { *r = translate.Resources{} },
			want: []string{
				`no listener: an Envoy that got this would serve nothing`,
				`no route configuration: an Envoy that got this would serve nothing`,
			},
		},
		"routes without a listener": {
			change: func(r *translate.Resources) { r.Listeners = nil },
			want: []string{
				`no listener: an Envoy that got this would serve nothing`,
				`route configuration "http": no listener names it`,
			},
		},
		"a listener whose routes are missing": {
			change: func(r *translate.Resources) { r.Routes[0].Name = "https" },
			want: []string{
				`listener "http": filter_chains[0].filters[0].typed_config.rds.route_config_name: unknown route configuration "http"`,
				`route configuration "https": no listener names it`,
			},
		},
		"a route configuration without routes": {
			change: func(r *translate.Resources) { r.Routes[0].VirtualHosts[0].Matcher = nil },
			want:   []string{`route configuration "http": no routes`},
		},
		"a cluster without its load assignment": {
			change: func(r *translate.Resources) { r.Endpoints = nil },
			want:   []string{`cluster "main": no load assignment "main", and Envoy would wait for it`},
		},
		"a cluster whose service name has no load assignment": {
			change: func(r *translate.Resources) { r.Clusters[0].EdsClusterConfig.ServiceName = "other" },
			want: []string{
				`cluster "main": no load assignment "other", and Envoy would wait for it`,
				`load assignment "main": no cluster of type EDS uses it`,
			},
		},
		"a load assignment without its cluster": {
			change: func(r *translate.Resources) {
				r.Endpoints = append(r.Endpoints, assignment("gone", 1))
			},
			want: []string{`load assignment "gone": no cluster of type EDS uses it`},
		},
		"twins": {
			change: func(r *translate.Resources) { r.Clusters = append(r.Clusters, edsCluster("main")) },
			want:   []string{`cluster "main": stands here twice`},
		},
		"a cluster without a name": {
			change: func(r *translate.Resources) { r.Clusters = append(r.Clusters, &clusterv3.Cluster{}) },
			want: []string{
				`cluster 2 of 2: no name`,
				`cluster "": invalid Cluster.Name: value length must be at least 1 runes`,
			},
		},
		"a plain route to an unknown cluster": {
			change: func(r *translate.Resources) {
				r.Routes[0].VirtualHosts[0].Matcher = nil
				r.Routes[0].VirtualHosts[0].Routes = []*routev3.Route{to("main"), to("nope")}
			},
			want: []string{`route configuration "http": virtual_hosts[0].routes[1].route.cluster: unknown cluster "nope"`},
		},
		"a route in a match tree to an unknown cluster": {
			change: func(r *translate.Resources) { r.Routes[0] = frontRoutes(t, "http", to("nope"), to("main")) },
			want: []string{`route configuration "http": ` + tree +
				`["/hello"].action.typed_config.route.cluster: unknown cluster "nope"`},
		},
		"a route in the list of a match tree to an unknown cluster": {
			change: func(r *translate.Resources) { r.Routes[0] = frontRoutes(t, "http", to("main"), to("nope")) },
			want: []string{`route configuration "http": ` + tree +
				`["/"].action.typed_config.routes[0].route.cluster: unknown cluster "nope"`},
		},
		"a route under on_no_match to an unknown cluster": {
			change: func(r *translate.Resources) { r.Routes[0].VirtualHosts[0].Matcher.OnNoMatch = action(t, to("nope")) },
			want: []string{`route configuration "http": virtual_hosts[0].matcher.on_no_match.action.typed_config.route.cluster: ` +
				`unknown cluster "nope"`},
		},
		"a route in a matcher within a matcher to an unknown cluster": {
			change: func(r *translate.Resources) {
				inner := prefixes(t, map[string]*xdsmatcherv3.Matcher_OnMatch{"/a/b": action(t, to("nope"))})
				r.Routes[0].VirtualHosts[0].Matcher.OnNoMatch = &xdsmatcherv3.Matcher_OnMatch{
					OnMatch: &xdsmatcherv3.Matcher_OnMatch_Matcher{Matcher: inner},
				}
			},
			want: []string{`route configuration "http": virtual_hosts[0].matcher.on_no_match.matcher.matcher_tree` +
				`.prefix_match_map.map["/a/b"].action.typed_config.route.cluster: unknown cluster "nope"`},
		},
		"a regular expression that does not compile, in a match tree": {
			change: func(r *translate.Resources) {
				r.Routes[0] = frontRoutes(t, "http", hashed(`((`, `\1`), to("main"))
			},
			want: []string{`route configuration "http": ` + tree + `["/hello"].action.typed_config.route.hash_policy[0].header` +
				".regex_rewrite.pattern.regex: error parsing regexp: missing closing ): `((`"},
		},
		"a substitution by a group that the pattern does not have": {
			change: func(r *translate.Resources) {
				r.Routes[0] = frontRoutes(t, "http", hashed(`^(.*)$`, `\1\2`), to("main"))
			},
			want: []string{`route configuration "http": ` + tree + `["/hello"].action.typed_config.route.hash_policy[0].header` +
				`.regex_rewrite.substitution: "\\1\\2": the pattern has 1 groups`},
		},
		"a regular expression that does not compile, in a predicate": {
			change: func(r *translate.Resources) { r.Routes[0].VirtualHosts[0].Matcher = predicate(t, `[`) },
			want: []string{`route configuration "http": virtual_hosts[0].matcher.matcher_list.matchers[0].predicate` +
				".single_predicate.value_match.safe_regex.regex: error parsing regexp: missing closing ]: `[`"},
		},
		"a typed configuration that nobody knows": {
			change: func(r *translate.Resources) {
				r.Routes[0].VirtualHosts[0].TypedPerFilterConfig = map[string]*anypb.Any{
					"authz": {TypeUrl: "type.googleapis.com/no.such.Type", Value: []byte{1}},
				}
			},
			want: []string{`route configuration "http": virtual_hosts[0].typed_per_filter_config["authz"].type_url: ` +
				`"type.googleapis.com/no.such.Type": unknown type, or not a message of it`},
		},
		"a value that Envoy's API forbids, in a match tree": {
			change: func(r *translate.Resources) {
				hello := direct("hello")
				hello.GetDirectResponse().Status = 7
				r.Routes[0] = frontRoutes(t, "http", hello, to("main"))
			},
			want: []string{`route configuration "http": ` + tree + `["/hello"].action.typed_config: ` +
				`invalid Route.DirectResponse: embedded message failed validation | caused by: ` +
				`invalid DirectResponseAction.Status: value must be inside range [200, 600)`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := front(t)
			test.change(&r)
			snapshot, err := NewSnapshot(r)
			if err == nil || snapshot != nil {
				t.Fatalf("snapshot %v, error %v", snapshot, err)
			}
			if diff := cmp.Diff(test.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func predicate(t *testing.T, regex string) *xdsmatcherv3.Matcher {
	t.Helper()
	single := &xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate{
		Input: prefixes(t, nil).GetMatcherTree().GetInput(),
		Matcher: &xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_ValueMatch{
			ValueMatch: &xdsmatcherv3.StringMatcher{MatchPattern: &xdsmatcherv3.StringMatcher_SafeRegex{
				SafeRegex: &xdsmatcherv3.RegexMatcher{
					Regex:      regex,
					EngineType: &xdsmatcherv3.RegexMatcher_GoogleRe2{GoogleRe2: &xdsmatcherv3.RegexMatcher_GoogleRE2{}},
				},
			}},
		},
	}
	return &xdsmatcherv3.Matcher{MatcherType: &xdsmatcherv3.Matcher_MatcherList_{MatcherList: &xdsmatcherv3.Matcher_MatcherList{
		Matchers: []*xdsmatcherv3.Matcher_MatcherList_FieldMatcher{{
			Predicate: &xdsmatcherv3.Matcher_MatcherList_Predicate{
				MatchType: &xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_{SinglePredicate: single},
			},
			OnMatch: action(t, to("main")),
		}},
	}}}
}

// A name with a typing mistake would switch a check off.
func TestFieldsThatAreLookedAtExist(t *testing.T) {
	fields := []protoreflect.FullName{envoyRegex, xdsRegex, substitution, anyURL}
	for name := range references {
		fields = append(fields, name)
	}
	for _, name := range fields {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
		if _, ok := d.(protoreflect.FieldDescriptor); err != nil || !ok {
			t.Errorf("%s: %v is not a field: %v", name, d, err)
		}
	}
}

func TestVersions(t *testing.T) {
	tests := map[string]struct {
		change func(*translate.Resources)
		want   []Type // whose version changes
	}{
		"equal content has an equal version": {
			change: func(*translate.Resources) {},
		},
		"order has no say": {
			change: func(r *translate.Resources) {
				slices.Reverse(r.Clusters)
				slices.Reverse(r.Endpoints)
			},
		},
		"another port changes endpoints only": {
			change: func(r *translate.Resources) { r.Endpoints[0] = assignment("main", 8009) },
			want:   []Type{Endpoint},
		},
		"another answer changes routes only": {
			change: func(r *translate.Resources) { r.Routes[0] = frontRoutes(t, "http", direct("good bye"), to("main")) },
			want:   []Type{Route},
		},
		"one cluster more changes clusters and endpoints": {
			change: func(r *translate.Resources) {
				r.Clusters = append(r.Clusters, edsCluster("media"))
				r.Endpoints = append(r.Endpoints, assignment("media", 8010))
			},
			want: []Type{Cluster, Endpoint},
		},
		"the second of two listeners changes listeners only": {
			change: func(r *translate.Resources) {
				r.Listeners = append(r.Listeners, frontListener(t, "http2", "http"))
			},
			want: []Type{Listener},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before, after := twoClusters(t), twoClusters(t)
			test.change(&after)
			a, b := snapshotOf(t, before), snapshotOf(t, after)
			var changed []Type
			for _, typ := range Types {
				if a.GetVersion(typeURLs[typ]) != b.GetVersion(typeURLs[typ]) {
					changed = append(changed, typ)
				}
			}
			if diff := cmp.Diff(test.want, changed); diff != "" {
				t.Errorf("changed types (-want +got):\n%s", diff)
			}
			if (Version(a) != Version(b)) != (len(test.want) > 0) {
				t.Errorf("versions %s and %s", Version(a), Version(b))
			}
		})
	}
}

func twoClusters(t *testing.T) translate.Resources {
	t.Helper()
	r := front(t)
	r.Clusters = append(r.Clusters, edsCluster("sync"))
	r.Endpoints = append(r.Endpoints, assignment("sync", 8081))
	return r
}

func snapshotOf(t *testing.T, r translate.Resources) *cachev3.Snapshot {
	t.Helper()
	s, err := NewSnapshot(r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
