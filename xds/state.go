package xds

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
)

// State is a copy of what is published and who took it.
type State struct {
	Version     string          // of the whole snapshot; empty before the first Publish
	Versions    map[Type]string // of each type; nil before the first Publish
	PublishedAt time.Time       // zero before the first Publish; after a refusal, when all went back
	Accepted    string          // the last version of the whole that Envoys accepted; empty before the first
	AcceptedAt  time.Time       // zero before the first
	Refused     *RefusedError   // the last refusal that had all go back, until something else is accepted
	Envoys      []Envoy         // the longest connected first
}

// Envoy is one connected Envoy. One that does not aggregate has a stream for each type: these count as one.
type Envoy struct {
	NodeID  string
	Cluster string // node.cluster of its bootstrap
	Build   string // "envoy 1.40.0"
	Peer    string // host:port, or "unix"
	Since   time.Time
	Delta   bool
	Types   map[Type]TypeState // those that it asked for
}

// TypeState is what an Envoy holds of one type.
type TypeState struct {
	Acked   string    // the last version that it acknowledged, or brought from an earlier stream; empty where there is none
	AckedAt time.Time // zero where it brought the version
	Current bool      // whether Acked is the published version
	Nack    *Nack     // the last refusal, until something later of its type is acknowledged
	Missing int       // published resources that it has neither taken nor refused yet; always 0 where each type has a stream
}

// Nack is a refusal; Envoy goes on with what it had.
type Nack struct {
	Version string // what it refused; empty where it did not say
	Message string // Envoy's own words
	At      time.Time
}

// LastNack gives the youngest of the standing refusals, and its type; nil where there is none.
func (e Envoy) LastNack() (Type, *Nack) {
	var youngest *Nack
	var of Type
	for _, t := range slices.Sorted(maps.Keys(e.Types)) {
		if n := e.Types[t].Nack; n != nil && (youngest == nil || n.At.After(youngest.At)) {
			of, youngest = t, n
		}
	}
	return of, youngest
}

// State gives a copy.
func (s *Server) State() State {
	p, v := s.published.Load(), s.verdict.Load()
	state := State{AcceptedAt: v.acceptedAt, Refused: v.refused}
	if v.accepted != nil {
		state.Accepted = v.accepted.version
	}
	if p == nil {
		state.Envoys = s.tracker.envoys(nil)
		return state
	}
	versions := make(map[Type]string, len(typeURLs))
	for t, url := range typeURLs {
		versions[t] = p.given.GetVersion(url)
	}
	state.Version, state.Versions, state.PublishedAt, state.Envoys = p.version, versions, p.at, s.tracker.envoys(p.given)
	return state
}

// envoys gives those that have said who they are; snapshot is nil before the first Publish.
func (t *tracker) envoys(snapshot *cachev3.Snapshot) []Envoy {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []Envoy
	single := map[string]int{} // by node id: where in all
	for key, s := range t.streams {
		if s.node == nil {
			continue
		}
		e := s.envoy(key, snapshot)
		if key.aggregated {
			all = append(all, e)
		} else if i, ok := single[e.NodeID]; ok {
			all[i].merge(e)
		} else {
			single[e.NodeID] = len(all)
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b Envoy) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.NodeID, b.NodeID))
	})
	return all
}

// merge adds what another stream of the same Envoy says; one cluster's endpoints may be behind while another's are not.
func (e *Envoy) merge(o Envoy) {
	if o.Since.Before(e.Since) {
		e.Since, e.Peer = o.Since, o.Peer
	}
	for t, theirs := range o.Types {
		if ours, ok := e.Types[t]; !ok || ours.Current && !theirs.Current {
			e.Types[t] = theirs
		}
	}
}

func (s *stream) envoy(key streamKey, snapshot *cachev3.Snapshot) Envoy {
	e := Envoy{
		NodeID: s.node.GetId(), Cluster: s.node.GetCluster(), Build: build(s.node),
		Peer: s.peer, Since: s.since, Delta: key.delta, Types: map[Type]TypeState{},
	}
	for t, h := range s.held {
		state := h.state(t, snapshot)
		if key.aggregated {
			state.Missing = h.missing(t, key.delta, snapshot)
		}
		e.Types[t] = state
	}
	return e
}

// state takes an Envoy that came with exactly what is published for one that acknowledged it: go-control-plane then sends nothing
// that it could acknowledge.
func (h *held) state(t Type, snapshot *cachev3.Snapshot) TypeState {
	state := TypeState{Acked: h.acked, AckedAt: h.ackedAt, Nack: h.nack}
	if snapshot == nil {
		return state
	}
	version := snapshot.GetVersion(typeURLs[t])
	if h.acked == "" && h.brought != nil && maps.Equal(h.brought, snapshot.GetVersionMap(typeURLs[t])) {
		state.Acked = version
	}
	state.Current = version != "" && state.Acked == version
	return state
}

// missing counts, because an Envoy that takes a new cluster acknowledges what it knew of the other assignments before it asks for
// those of the new one.
func (h *held) missing(t Type, delta bool, snapshot *cachev3.Snapshot) (n int) {
	if snapshot == nil {
		return 0
	}
	versions := snapshot.GetVersionMap(typeURLs[t])
	if !delta {
		return max(0, len(versions)-h.count)
	}
	for name, version := range versions {
		if h.has[name] != version && h.spurned[name] != version {
			n++
		}
	}
	return n
}

func build(n *corev3.Node) string {
	version := n.GetUserAgentVersion()
	if v := n.GetUserAgentBuildVersion().GetVersion(); v != nil {
		version = fmt.Sprintf("%d.%d.%d", v.GetMajorNumber(), v.GetMinorNumber(), v.GetPatch())
	}
	return strings.TrimSpace(n.GetUserAgentName() + " " + version)
}
