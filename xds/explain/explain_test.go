package explain

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"axon/affinity"
	"axon/xds/plan"
	"axon/xds/topology"
)

// onePlan has two workers behind a route of each affinity.
func onePlan(t *testing.T) *plan.Plan {
	t.Helper()
	topo := &topology.Topology{ServerName: "example.org", Main: process("main", 9000), StreamWriters: map[topology.Stream][]string{}}
	for i, name := range []string{"sync-1", "sync-2", "event-creator-1", "event-creator-2", "federation-1", "federation-2", "client-reader-1", "client-reader-2"} {
		topo.Workers = append(topo.Workers, process(name, 9001+i))
	}
	for _, stream := range topology.Streams {
		topo.StreamWriters[stream] = []string{"main"}
	}
	p, err := plan.Build(topo, plan.Config{Listeners: []plan.ListenerConfig{{Address: "127.0.0.1:8008", SynapseAdmin: []string{"10.0.0.0/8"}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func process(name string, port int) *topology.Worker {
	return &topology.Worker{Name: name, Listeners: []topology.Listener{{
		Address:   topology.Address{Host: "127.0.0.1", Port: uint16(port)},
		Resources: []topology.Resource{topology.Client, topology.Federation, topology.Keys, topology.Media},
	}}}
}

func TestKeys(t *testing.T) {
	header := func(authorization string) http.Header { return http.Header{"Authorization": {authorization}} }
	tests := map[string]struct {
		request Request
		want    Explanation
	}{
		"the user that Axon finds": {
			Request{Method: "GET", Target: "/_matrix/client/v3/sync?since=1", User: "@alice:example.org", Header: header("Bearer mat_x")},
			Explanation{Route: "sync", Affinity: affinity.User, Key: "YWxpY2U", KeyFrom: "the user behind the token"},
		},
		"a native token, without Axon": {
			Request{Method: "GET", Target: "/_matrix/client/v3/sync?since=1", Header: header("Bearer syt_YWxpY2U_x_y")},
			Explanation{Route: "sync", Affinity: affinity.User, Key: "YWxpY2U", KeyFrom: "the user in the native token"},
		},
		"an opaque token, without Axon": {
			Request{Method: "GET", Target: "/_matrix/client/v3/sync?since=1", Header: header("Bearer mat_x")},
			Explanation{Route: "sync", Affinity: affinity.User, Key: "Bearer mat_x", KeyFrom: "the token itself, as long as Axon does not know its user"},
		},
		"a token in the query": {
			Request{Method: "GET", Target: "/_matrix/client/v3/sync?since=1&access_token=mat_x"},
			Explanation{Route: "sync", Affinity: affinity.User, Key: "mat_x", KeyFrom: "the token itself, as long as Axon does not know its user"},
		},
		"no token": {
			Request{Method: "GET", Target: "/_matrix/client/v3/sync?since=1", Source: netip.MustParseAddr("192.0.2.1")},
			Explanation{Route: "sync", Affinity: affinity.User, Key: "192.0.2.1", KeyFrom: "the client's address"},
		},
		"a room": {
			Request{Method: "PUT", Target: "/_matrix/client/v3/rooms/%21abc%3Ax/send/m.room.message/1"},
			Explanation{Route: "send", Affinity: affinity.Room, Key: "abc", KeyFrom: "the room in the path"},
		},
		"a homeserver": {
			Request{Method: "PUT", Target: "/_matrix/federation/v1/send/1", Header: header(`X-Matrix origin="remote.org",sig="x"`)},
			Explanation{Route: "federation_send", Affinity: affinity.Origin, Key: "remote.org", KeyFrom: "the origin in X-Matrix"},
		},
		"nothing to keep together": {
			Request{Method: "GET", Target: "/_matrix/client/versions"},
			Explanation{Route: "client_reads", Affinity: affinity.None},
		},
		"what Envoy answers itself": {
			Request{Method: "GET", Target: "/_synapse/admin/v1/users", Source: netip.MustParseAddr("192.0.2.1")},
			Explanation{Route: "not_found", Status: 404},
		},
		"an administrator's address": {
			Request{Method: "GET", Target: "/_synapse/admin/v1/users", Source: netip.MustParseAddr("10.1.2.3")},
			Explanation{Route: "admin", Affinity: affinity.None},
		},
	}
	p := onePlan(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Explain(p, tt.request)
			ignored := cmpopts.IgnoreFields(Explanation{}, "Method", "Target", "Group", "Because", "Cluster", "Workers", "Worker", "Fallback")
			if diff := cmp.Diff(tt.want, got, ignored); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (got.Worker == "") != (got.Key == "" && len(got.Workers) != 1) {
				t.Errorf("worker %q for key %q of %v", got.Worker, got.Key, got.Workers)
			}
		})
	}
}

func TestAllSpellingsOfARoomGoToOneWorker(t *testing.T) {
	p := onePlan(t)
	want := Explain(p, Request{Method: "PUT", Target: "/_matrix/client/v3/rooms/!abc:x/send/m.room.message/1"}).Worker
	for _, room := range []string{"%21abc:x", "!abc%3Ax", "%21abc%3ax", "!abc"} {
		if got := Explain(p, Request{Method: "PUT", Target: "/_matrix/client/r0/rooms/" + room + "/send/m.room.message/2?x=1"}).Worker; got != want || got == "" {
			t.Errorf("%s: %q, want %q", room, got, want)
		}
	}
}

func TestABridgesRequestIsExplainedByItsOwnGroup(t *testing.T) {
	topo := &topology.Topology{ServerName: "example.org", Main: process("main", 9000), StreamWriters: map[topology.Stream][]string{}}
	topo.Workers = []*topology.Worker{process("bridge-1", 9001), process("event-creator-1", 9002)}
	topo.Appservices = []topology.Appservice{{ID: "telegram", Group: "bridges"}}
	for _, stream := range topology.Streams {
		topo.StreamWriters[stream] = []string{"main"}
	}
	p, err := plan.Build(topo, plan.Config{Listeners: []plan.ListenerConfig{{Address: "127.0.0.1:8008"}}, Groups: map[string][]string{"bridges": {"bridge-*"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	send := Request{Method: "PUT", Target: "/_matrix/client/v3/rooms/!a:b/send/m.room.message/1"}
	if got := Explain(p, send).Worker; got != "event-creator-1" {
		t.Errorf("a user's message goes to %q", got)
	}
	send.Appservice = "bridges"
	if got := Explain(p, send).Worker; got != "bridge-1" {
		t.Errorf("the bridge's goes to %q", got)
	}
}
