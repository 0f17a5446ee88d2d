package xds

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
)

// A change that brings or removes clusters would lose requests if it were sent at once: routes would point to clusters that are
// still warming (as long as a first health check takes), or to those that are gone. So clusters are added first, then routes
// change, then clusters are removed. Envoy tells when to go on: it acknowledges clusters only when they are warm. It does not
// tell when the last request that had found its way before is gone, so what is removed stays for a while.

// step is a snapshot on the way, and the types that Envoys answer before the next.
type step struct {
	snapshot *cachev3.Snapshot
	await    []Type
	removal  bool // of clusters that nothing leads to any more
}

// patience bounds the wait for Envoys that do not answer; most answer in milliseconds, those that have to wait for a first
// health check or a name server in seconds.
const patience = 10 * time.Second

// linger is how long clusters stay after the last route to them. A request looks for its cluster after Axon has said whose it is
// (identity.timeout), and again when it is retried; without it Envoy answers 503.
const linger = 10 * time.Second

// steps leads from one snapshot to another, leaving out what changes nothing. A removal is the last.
func steps(from, to *cachev3.Snapshot) ([]step, error) {
	if from == nil {
		return []step{{snapshot: to}}, nil
	}
	added, err1 := bridge(from, to, from)
	routed, err2 := bridge(from, to, to)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	var way []step
	at := Version(from)
	for _, s := range []step{
		{snapshot: added, await: []Type{Cluster}},
		{snapshot: routed, await: []Type{Listener, Route}},
		{snapshot: to, removal: true},
	} {
		if v := Version(s.snapshot); v != at {
			way, at = append(way, s), v
		}
	}
	return way, nil
}

// bridge has the clusters of both, as they are to be, and the listeners and routes of one.
func bridge(from, to, routes *cachev3.Snapshot) (*cachev3.Snapshot, error) {
	clusters := union(from, to, Cluster)
	endpoints := union(from, to, Endpoint)
	used := map[string]bool{}
	for _, c := range clusters {
		if name := assignmentName(c.(*clusterv3.Cluster)); name != "" {
			used[name] = true
		}
	}
	maps.DeleteFunc(endpoints, func(name string, _ types.Resource) bool { return !used[name] })
	return assemble(map[Type]map[string]types.Resource{
		Listener: routes.GetResources(typeURLs[Listener]),
		Route:    routes.GetResources(typeURLs[Route]),
		Cluster:  clusters,
		Endpoint: endpoints,
	})
}

func union(from, to *cachev3.Snapshot, t Type) map[string]types.Resource {
	all := from.GetResources(typeURLs[t]) // a map of its own
	maps.Copy(all, to.GetResources(typeURLs[t]))
	return all
}

// rollOut takes the steps, waiting between them until every connected Envoy has answered or patience ends. It ends at a refusal
// that has had all go back, with a *RefusedError. A removal comes later, by itself.
func (s *Server) rollOut(p *published, way []step) error {
	for i, step := range way {
		if step.removal {
			time.AfterFunc(s.linger, func() { s.remove(p) })
			break
		}
		if err := s.caches.send(step.snapshot); err != nil {
			return err
		}
		if i == len(way)-1 {
			break
		}
		if err := s.settle(step, s.judge); err != nil {
			return err
		}
	}
	return nil
}

// given is what Envoys that had from have at the end of rollOut.
func given(from *cachev3.Snapshot, way []step) *cachev3.Snapshot {
	for _, step := range way {
		if !step.removal {
			from = step.snapshot
		}
	}
	return from
}

// remove takes away the clusters that p does not have. If something else was published meanwhile, that sees to them.
func (s *Server) remove(p *published) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	if s.published.Load() != p || s.context.Err() != nil {
		return
	}
	if err := s.caches.send(p.snapshot); err != nil {
		s.log.Error("clusters that nothing leads to can't be removed", "error", err)
		return
	}
	tidy := *p
	tidy.given = p.snapshot
	s.published.Store(&tidy)
}

// settle waits for the answers to a step, but not for an Envoy that takes too long, nor on a server that is closed. An error of
// heed, which is called before each wait, ends it.
func (s *Server) settle(step step, heed func() error) error {
	patient, cancel := context.WithTimeout(s.context, patience)
	defer cancel()
	for {
		answered := s.tracker.answered.wait()
		settled := s.tracker.settled(step)
		if err := heed(); err != nil || settled { // in this order: a refusal is an answer
			return err
		}
		select {
		case <-answered:
		case <-patient.Done():
			if s.context.Err() == nil {
				s.log.Warn("not every envoy took the update in time, going on", "waited", patience, "for", step.await)
			}
			return nil
		}
	}
}

// settled says whether every Envoy has acknowledged or refused the step. A type that it did not ask for is not awaited.
func (t *tracker) settled(step step) bool {
	return !slices.ContainsFunc(t.envoys(step.snapshot), func(e Envoy) bool { return !e.answered(step.snapshot, step.await) })
}
