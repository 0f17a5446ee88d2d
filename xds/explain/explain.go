// Package explain says where a request goes, and why, without an Envoy: it decides as the plan does and computes Envoy's
// own ring.
package explain

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"axon/affinity"
	"axon/xds/plan"
	"axon/xds/ring"
)

// Request is what is known of a request.
type Request struct {
	Method string
	// Target is the raw path and query, as on the request line.
	Target string
	Header http.Header
	// User is the Matrix user ID that Axon would find behind the token; empty where it finds none.
	User string
	// Appservice is the group of the appservice whose token it is, empty where it is none's.
	Appservice plan.GroupName
	// Source is the client's address as Envoy trusts it; the zero Addr where it is not known.
	Source netip.Addr
}

// Explanation is where a request goes and why.
type Explanation struct {
	Method string `json:"method"`
	Target string `json:"target"`
	Route  string `json:"route"`
	// Status is what Envoy answers itself; the rest is then empty.
	Status   int               `json:"status,omitempty"`
	Group    plan.GroupName    `json:"group,omitempty"`
	Because  string            `json:"because,omitempty"`
	Cluster  string            `json:"cluster,omitempty"`
	Affinity affinity.Affinity `json:"affinity,omitempty"`
	// Key is what Envoy hashes, KeyFrom what it is cut out of.
	Key     string `json:"key,omitempty"`
	KeyFrom string `json:"key_from,omitempty"`
	// Workers may get the request; Worker is the one that does, while all are healthy. It is empty where Envoy takes the
	// least busy one, or where the key is not known.
	Workers []string `json:"workers,omitempty"`
	Worker  string   `json:"worker,omitempty"`
	// BoundedLoad, where it is set, is how much of the mean, in percent, Worker may have under way before the others help out.
	BoundedLoad uint32 `json:"bounded_load,omitempty"`
	// Stead take over from Workers, and Fallback from both.
	Stead    []string `json:"stead,omitempty"`
	Fallback string   `json:"fallback,omitempty"`
	// Drained would be among Workers, were they not drained.
	Drained []string `json:"drained,omitempty"`
}

// Explain decides on a request. The plan must be valid.
func Explain(p *plan.Plan, r Request) Explanation {
	route := p.Match(plan.Request{Method: r.Method, Host: r.Header.Get("Host"), Path: r.Target, Appservice: r.Appservice, Admin: isAdmin(p, r.Source)})
	e := Explanation{Method: r.Method, Target: r.Target, Route: route.Name, Status: route.Status}
	if route.Status != 0 {
		return e
	}
	cluster, _ := p.Cluster(route.Cluster)
	e.Group, e.Cluster, e.Affinity = route.Group, cluster.Name, route.Affinity
	e.Because = because(p, route.Group)
	e.choose(p.Balance, cluster, r)
	if e.Key != "" {
		e.BoundedLoad = p.BoundedLoad
	}
	return e
}

// choose says which of a cluster's workers it is.
func (e *Explanation) choose(balance plan.Balance, cluster plan.Cluster, r Request) {
	for _, m := range cluster.Members {
		if m.Drained {
			e.Drained = append(e.Drained, m.Name)
		} else {
			e.Workers = append(e.Workers, m.Name)
		}
	}
	for _, m := range cluster.Stead {
		if !m.Drained {
			e.Stead = append(e.Stead, m.Name)
		}
	}
	if len(e.Workers) == 0 {
		e.Workers, e.Stead = e.Stead, nil
	}
	if cluster.Fallback != nil {
		e.Fallback = cluster.Fallback.Name
	}
	e.Key, e.KeyFrom = key(e.Affinity, r)
	switch {
	case len(e.Workers) == 0:
		e.Worker = e.Fallback
	case e.Key != "":
		e.Worker = ring.For(balance, cluster).Pick(ring.Hash(e.Key))
	case len(e.Workers) == 1:
		e.Worker = e.Workers[0]
	}
}

func because(p *plan.Plan, name plan.GroupName) string {
	i := slices.IndexFunc(p.Groups, func(g plan.Group) bool { return g.Name == name })
	if i < 0 {
		return "a service beside Synapse"
	}
	return p.Groups[i].Reason
}

// isAdmin says whether some listener lets the address into the admin API.
func isAdmin(p *plan.Plan, source netip.Addr) bool {
	return slices.ContainsFunc(p.Listeners, func(l plan.Listener) bool {
		return slices.ContainsFunc(l.SynapseAdmin, func(allowed netip.Prefix) bool { return allowed.Contains(source) })
	})
}

// key is what the hash policies of an affinity (translate/affinity.go) come to, the first that applies.
func key(a affinity.Affinity, r Request) (key, from string) {
	authorization := r.Header.Get("Authorization")
	switch a {
	case affinity.User:
		return userKey(r, authorization)
	case affinity.Room:
		return affinity.RoomKey(r.Target), "the room in the path"
	case affinity.Origin:
		if authorization != "" {
			return affinity.OriginKey(authorization), "the origin in X-Matrix"
		}
		return sourceKey(r)
	case affinity.Source:
		return sourceKey(r)
	default:
		return "", ""
	}
}

func userKey(r Request, authorization string) (key, from string) {
	if key := affinity.UserKey(r.User); key != "" {
		return key, "the user behind the token"
	}
	const unknown = "the token itself, as long as Axon does not know its user"
	if key := affinity.BearerKey(authorization); key != authorization {
		return key, "the user in the native token"
	}
	if _, present := r.Header["Authorization"]; present {
		return authorization, unknown
	}
	if token, present := queryValue(r.Target, "access_token"); present {
		return token, unknown
	}
	return sourceKey(r)
}

func sourceKey(r Request) (key, from string) {
	from = "the client's address"
	if !r.Source.IsValid() {
		return "", from
	}
	return r.Source.String(), from
}

// queryValue is the first value of a query parameter, undecoded.
func queryValue(target, name string) (value string, present bool) {
	_, query, _ := strings.Cut(target, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if n, value, _ := strings.Cut(pair, "="); n == name {
			return value, true
		}
	}
	return "", false
}

// Listed are the workers of an explanation in words: "sync-1", "the least busy of a, b", "a or b, by the client's address".
func (e Explanation) Listed() string {
	all := strings.Join(e.Workers, ", ")
	switch {
	case e.Worker != "" && e.BoundedLoad > 0:
		return fmt.Sprintf("%s, as long as it has no more than %d %% of the mean under way", e.Worker, e.BoundedLoad)
	case e.Worker != "":
		return e.Worker
	case len(e.Workers) == 0:
		return "nobody: all are drained, and Envoy answers 503"
	case e.KeyFrom != "":
		return "one of " + all + ", by " + e.KeyFrom
	default:
		return "the least busy of " + all
	}
}
