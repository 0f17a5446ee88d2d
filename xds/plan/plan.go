// Package plan says what goes where. It is the intermediate representation between what runs (topology) and what Envoy
// is told (translate): groups of workers that share a job, the clusters that balance over them, and the routes that lead
// there. A plan is data: it can be shown, compared and tested without an Envoy.
package plan

import (
	"net/netip"
	"slices"
	"time"

	"axon/affinity"
	"axon/xds/topology"
)

// Plan is what goes where. Build gives either a whole one or an error.
type Plan struct {
	ServerName string  `yaml:"server_name"`
	Balance    Balance `yaml:"balance"`
	// BoundedLoad is how much of the mean of its cluster, in percent, a worker of a hashed cluster may have under way before
	// others help it out; 0 where load moves nobody.
	BoundedLoad uint32     `yaml:"bounded_load,omitempty"`
	Health      Health     `yaml:"health,omitempty"`
	Listeners   []Listener `yaml:"listeners"`
	// Identity is nil where nothing needs it, or no server is there to ask.
	Identity *Identity `yaml:"identity,omitempty"`
	// Groups are all groups, also those that only main serves, in the order of GroupNames.
	Groups []Group `yaml:"groups"`
	// Clusters are sorted by name.
	Clusters []Cluster `yaml:"clusters"`
	// Routes are matched in their order; the first that matches a request has it.
	Routes []Route `yaml:"routes"`
	// VirtualHosts are the host names that have other routes.
	VirtualHosts []VirtualHost `yaml:"virtual_hosts,omitempty"`
}

// Balance is the algorithm of hashed clusters.
type Balance string

// The algorithms. Both move only the users of a worker that leaves; see RATIONALE.md for what each costs.
const (
	RingHash Balance = "ring_hash"
	Maglev   Balance = "maglev"
)

// Group is a set of workers that share a job.
type Group struct {
	Name GroupName `yaml:"name"`
	// Workers are names, sorted; empty where main does the job alone.
	Workers []string `yaml:"workers,omitempty"`
	// Fallback is main where it may take over when no worker of the group is healthy, else empty.
	Fallback string `yaml:"fallback,omitempty"`
	// Reason says why these workers, in words for an administrator.
	Reason string `yaml:"reason"`
}

// Serving are the group's workers, or main where it has none.
func (g Group) Serving() []string {
	if len(g.Workers) == 0 {
		return []string{topology.MainName}
	}
	return g.Workers
}

// LeftToMain are the names of the groups that workers could do and main does alone, but for those it writes the stream of.
func (p *Plan) LeftToMain() []string {
	var names []string
	for _, j := range jobs {
		i := slices.IndexFunc(p.Groups, func(g Group) bool { return g.Name == j.group && len(g.Workers) == 0 })
		if i >= 0 && j.group != Media {
			names = append(names, string(j.group))
		}
	}
	return names
}

// GroupsOf are the names of the groups that a worker is in; main is in its own only.
func (p *Plan) GroupsOf(worker string) []string {
	var names []string
	for _, g := range p.Groups {
		if slices.Contains(g.Workers, worker) || string(g.Name) == worker {
			names = append(names, string(g.Name))
		}
	}
	return names
}

// Cluster is an Envoy cluster to be: the workers of one group that serve one resource.
type Cluster struct {
	Name string `yaml:"name"`
	// Hashed clusters keep what belongs together on one worker; the others send each request to the least busy one.
	Hashed  bool     `yaml:"hashed,omitempty"`
	Members []Member `yaml:"members"`
	// Stead take over when no member is healthy, and Fallback when none of them is either.
	Stead    []Member `yaml:"stead,omitempty"`
	Fallback *Member  `yaml:"fallback,omitempty"`
	// TLS says that members want HTTPS (only services beside Synapse do).
	TLS   bool  `yaml:"tls,omitempty"`
	Limit Limit `yaml:"limit,omitempty"`
}

// Member is one process of a cluster. Its name, not its address, is what the ring hashes.
type Member struct {
	Name    string           `yaml:"name"`
	Address topology.Address `yaml:"address"`
	// Drained members get no new requests; what they have under way goes on.
	Drained bool `yaml:"drained,omitempty"`
}

// Route leads the requests that match it to a cluster, or answers them itself where Status is set.
type Route struct {
	Name     string            `yaml:"name"`
	Methods  []string          `yaml:"methods,flow,omitempty"` // none: any
	Paths    []Template        `yaml:"paths"`
	Query    *Query            `yaml:"query,omitempty"`
	Group    GroupName         `yaml:"group,omitempty"`
	Cluster  string            `yaml:"cluster,omitempty"`
	Affinity affinity.Affinity `yaml:"affinity,omitempty"`
	Pace     Pace              `yaml:"pace,omitempty"`
	// Admin routes answer only to the addresses in a listener's synapse_admin.
	Admin bool `yaml:"admin,omitempty"`
	// Identify says that Axon is asked about the request. Affinity alone asks it only where there is more than one worker.
	Identify bool `yaml:"identify,omitempty"`
	// Open are paths among Paths whose requests need no user: Synapse serves them to whoever asks, or judges itself.
	Open  []Template `yaml:"open,omitempty"`
	Learn Learn      `yaml:"learn,omitempty"`
	// Appservice routes take only the requests of appservices that have this group.
	Appservice GroupName `yaml:"appservice,omitempty"`
	// Host, where set, is the Host header that the upstream gets instead of the client's.
	Host string `yaml:"host,omitempty"`
	// ForwardHost, where set, is the X-Forwarded-Host that the upstream gets, for those that read that instead.
	ForwardHost string `yaml:"forward_host,omitempty"`
	// Mended answers have the CORS headers and the Matrix errors that the upstream leaves out.
	Mended bool `yaml:"mended,omitempty"`
	// Status, where set, is answered by Envoy itself: with Reply, a JSON document, or else with a Matrix error.
	Status int    `yaml:"status,omitempty"`
	Reply  string `yaml:"reply,omitempty"`
}

// Query is a condition on one query parameter: that it has this value, or, where Value is empty, any but an empty one.
type Query struct {
	Name  string `yaml:"name"`
	Value string `yaml:"value,omitempty"`
}

// Learn says what can tell whose a new token is.
type Learn string

// The ways to learn: the Answer to a login or registration has token and user; one to refreshing has only the token, and
// the request (Both) the refresh token that goes before it.
const (
	Nothing Learn = ""
	Answer  Learn = "answer"
	Both    Learn = "both"
)

// Pace says how long a healthy answer may stay away.
type Pace string

// The paces: Usual requests are answered within minutes, Poll ones are held as long as the client asks, Slow ones
// (initial syncs, joins over federation, large media) may take very long.
const (
	Usual Pace = ""
	Poll  Pace = "poll"
	Slow  Pace = "slow"
)

// Listener is where clients and remote servers arrive.
type Listener struct {
	Name    string           `yaml:"name"`
	Address topology.Address `yaml:"address"`
	TLS     *TLS             `yaml:"tls,omitempty"`
	// TrustedProxies may name the client in X-Forwarded-For; nobody else's is believed.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies,omitempty"`
	// RedirectHTTPS answers everything with a redirect to the same URL under https.
	RedirectHTTPS bool `yaml:"redirect_https,omitempty"`
	// SynapseAdmin may reach /_synapse/admin.
	SynapseAdmin []netip.Prefix `yaml:"synapse_admin,omitempty"`
}

// TLS names the files of a listener's certificate chain and key, PEM.
type TLS struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
}

// Identity is the ext_authz server that finds the user behind a token.
type Identity struct {
	Address topology.Address `yaml:"address"`
	// TLS says how to reach it over TCP with certificates on both sides; nil for plain text.
	TLS *IdentityTLS `yaml:"tls,omitempty"`
	// Timeout is how long Envoy waits for it before a request goes on without identity.
	Timeout time.Duration `yaml:"timeout"`
	// Rematch says that its answer can lead to another route: some appservice has workers of its own.
	Rematch bool `yaml:"rematch,omitempty"`
	// Enforce says that it is asked about every request that needs a user, and may refuse it.
	Enforce bool `yaml:"enforce,omitempty"`
	// FailClosed refuses, with 503, what it was to be asked about and could not be.
	FailClosed bool `yaml:"fail_closed,omitempty"`
	// Learn says that it is shown what routes say that can be learned from.
	Learn bool `yaml:"learn,omitempty"`
	// Headers are those that it sets beside its own; clients' copies are dropped.
	Headers []string `yaml:"headers,omitempty,flow"`
}

// IdentityTLS names the files, PEM, that Envoy shows and trusts.
type IdentityTLS struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	// CA signed the server's certificate, which has to be valid for ServerName.
	CA         string `yaml:"ca"`
	ServerName string `yaml:"server_name"`
}
