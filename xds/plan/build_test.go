package plan

import (
	"slices"
	"strings"
	"testing"

	"axon/affinity"
	"axon/xds/topology"
)

// homeserver is a topology with main and some workers, each with a listener for clients and servers.
func homeserver(names ...string) *topology.Topology {
	t := &topology.Topology{ServerName: "example.org", StreamWriters: map[topology.Stream][]string{}}
	for _, stream := range topology.Streams {
		t.StreamWriters[stream] = []string{topology.MainName}
	}
	t.Main = worker(topology.MainName, 9000, topology.Client, topology.Federation, topology.Media, topology.Keys)
	for i, name := range names {
		t.Workers = append(t.Workers, worker(name, 9001+i, topology.Client, topology.Federation, topology.Keys))
	}
	return t
}

func worker(name string, port int, resources ...topology.Resource) *topology.Worker {
	address := topology.Address{Host: "127.0.0.1", Port: uint16(port)}
	return &topology.Worker{Name: name, MediaRepo: true, Listeners: []topology.Listener{{Address: address, Resources: resources}}}
}

var oneListener = []ListenerConfig{{Address: "127.0.0.1:8008"}}

func build(t *testing.T, topo *topology.Topology, groups map[string][]string) *Plan {
	t.Helper()
	p, err := Build(topo, Config{Listeners: oneListener, Groups: groups}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func workersOf(p *Plan, name GroupName) string {
	i := slices.IndexFunc(p.Groups, func(g Group) bool { return g.Name == name })
	return strings.Join(p.Groups[i].Serving(), " ")
}

func TestGroupsAreInferred(t *testing.T) {
	tests := map[string]struct {
		workers []string
		want    map[GroupName]string
	}{
		"no workers: main does all": {nil, map[GroupName]string{Sync: "main", EventCreator: "main", FederationReader: "main"}},
		"generic workers share all that they may serve": {[]string{"generic_worker1", "generic_worker2"}, map[GroupName]string{
			Sync: "generic_worker1 generic_worker2", InitialSync: "generic_worker1 generic_worker2", ClientReader: "generic_worker1 generic_worker2",
			FederationInbound: "generic_worker1 generic_worker2", SSO: "generic_worker1", Media: "main", Typing: "main", DeviceLists: "generic_worker1 generic_worker2",
		}},
		"a named worker has its job to itself":                 {[]string{"sync-1", "worker1"}, map[GroupName]string{Sync: "sync-1", ClientReader: "worker1", EventCreator: "worker1"}},
		"initial syncs go to sync workers before generic ones": {[]string{"sync-1", "worker1"}, map[GroupName]string{InitialSync: "sync-1"}},
		"a sender is no destination":                           {[]string{"federation-sender-1"}, map[GroupName]string{FederationInbound: "main", FederationReader: "main"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := build(t, homeserver(tt.workers...), nil)
			for group, want := range tt.want {
				if got := workersOf(p, group); got != want {
					t.Errorf("%s: %q, want %q", group, got, want)
				}
			}
		})
	}
}

func TestStreamWriters(t *testing.T) {
	topo := homeserver("typing-writer", "generic_worker1")
	topo.StreamWriters[topology.Typing] = []string{"typing-writer"}
	topo.StreamWriters[topology.Presence] = []string{"generic_worker1"}
	p := build(t, topo, nil)
	if got := workersOf(p, Typing); got != "typing-writer" {
		t.Errorf("typing: %q", got)
	}
	if got := workersOf(p, ClientReader); got != "generic_worker1" {
		t.Errorf("a writer that is named for nothing else reads too: %q", got)
	}
	c, _ := p.Cluster("typing")
	if c.Fallback != nil {
		t.Error("a strict writer has a fallback, where Synapse answers 500")
	}
}

func TestOverrules(t *testing.T) {
	p := build(t, homeserver("a1", "a2", "b"), map[string][]string{"sync": {"a*"}, "login": {"main"}, "media": {}})
	if got := workersOf(p, Sync); got != "a1 a2" {
		t.Errorf("sync: %q", got)
	}
	if got := workersOf(p, Login); got != "main" {
		t.Errorf("login: %q", got)
	}
}

func TestFaultsAreReportedTogether(t *testing.T) {
	topo := homeserver("sync-1", "media-only")
	topo.Workers[1] = worker("media-only", 9002, topology.Media)
	_, err := Build(topo, Config{
		Balance: "random",
		Groups: map[string][]string{
			"sync": {"nobody-*"}, "event_creator": {"media-only"}, "typing": {"sync-1"}, "cooks": {"sync-1"}, "sso": {"*-1", "sync-["},
		},
		Listeners: []ListenerConfig{{Address: "127.0.0.1:9001"}, {Address: "localhost:80", TrustedProxies: []string{"10.0.0.0/33"}, TLS: &TLSConfig{}}},
	}, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`balance "random"`, `glob "nobody-*" matches no worker; there are main, sync-1, media-only`,
		`group "event_creator": worker "media-only" has no listener with the resource client`,
		`group "typing": "sync-1" is not among stream_writers.typing`, `unknown group "cooks"`, `glob "sync-["`,
		`listener "127.0.0.1:9001": "sync-1" listens there`, `listener "localhost:80": must be an IP address`,
		`trusted_proxies "10.0.0.0/33"`, `tls wants certificate and key`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in:\n%v", want, err)
		}
	}
}

func TestClusters(t *testing.T) {
	p := build(t, homeserver("sync-1", "sync-2", "reader-1", "reader-2"), nil)
	tests := map[string]struct {
		hashed   bool
		members  int
		fallback bool
	}{
		"sync":                 {hashed: true, members: 2, fallback: true},
		"client_reader":        {members: 2, fallback: true},
		"client_reader_hashed": {hashed: true, members: 2, fallback: true},
		"main":                 {members: 1},
	}
	for name, tt := range tests {
		c, ok := p.Cluster(name)
		if !ok || c.Hashed != tt.hashed || len(c.Members) != tt.members || (c.Fallback != nil) != tt.fallback {
			t.Errorf("%s: %+v, want %+v", name, c, tt)
		}
	}
}

func TestIdentityIsAskedOnlyWhereItMatters(t *testing.T) {
	one := build(t, homeserver("sync-1"), nil)
	two := build(t, homeserver("sync-1", "sync-2"), nil)
	sync := Request{Method: "GET", Path: "/_matrix/client/v3/sync?since=1"}
	if r := one.Match(sync); r.Affinity != affinity.User || r.Identify {
		t.Errorf("with one sync worker there is nothing to choose, but a second one may come: %+v", r)
	}
	if r := two.Match(sync); r.Affinity != affinity.User || !r.Identify {
		t.Errorf("with two sync workers the user decides: %+v", r)
	}
}

func TestMainsListenersMayBeApart(t *testing.T) {
	topo := homeserver()
	topo.Main.Listeners = []topology.Listener{
		{Address: topology.Address{Host: "127.0.0.1", Port: 9000}, Resources: []topology.Resource{topology.Client, topology.Media}},
		{Address: topology.Address{Host: "127.0.0.1", Port: 9448}, Resources: []topology.Resource{topology.Federation, topology.Keys}},
	}
	p := build(t, topo, nil)
	for path, want := range map[string]uint16{"/_matrix/federation/v1/version": 9448, "/_matrix/key/v2/server": 9448, "/_matrix/client/versions": 9000, "/_matrix/media/v3/config": 9000} {
		c, _ := p.Cluster(p.Match(Request{Method: "GET", Path: path}).Cluster)
		if got := c.Members[0].Address.Port; got != want {
			t.Errorf("%s goes to port %d, want %d", path, got, want)
		}
	}
}
