package xds

import (
	"context"
	"fmt"
	"slices"
	"time"

	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"

	"axon/xds/translate"
)

// memory is how long refused content is not tried again: Envoy may refuse it for something outside of it, such as a certificate
// that is not there yet, and nothing else would tell that this has changed.
const memory = time.Minute

// verdict is what Envoys made of what they were given. A snapshot is accepted when every connected Envoy has answered it, none
// of them with a refusal that counts, and one of them holds all of it.
type verdict struct {
	accepted   *published // the last one; nil before the first
	acceptedAt time.Time
	refused    *RefusedError // until something else is accepted
}

// RefusedError says that an Envoy refused a snapshot, after which all Envoys were given the last accepted one again.
type RefusedError struct {
	Version string // of the whole snapshot
	Node    string
	Type    Type
	Message string // Envoy's own words
	At      time.Time
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("envoy %q refused the %s update: %s", e.Node, e.Type, e.Message)
}

// offer makes p what is published.
func (s *Server) offer(p *published, way []step) {
	s.offered = map[Type]map[string]bool{}
	for t, url := range typeURLs {
		s.offered[t] = map[string]bool{p.snapshot.GetVersion(url): true}
		for _, step := range way {
			s.offered[t][step.snapshot.GetVersion(url)] = true
		}
	}
	s.published.Store(p)
}

// follow judges as long as the server is open.
func (s *Server) follow() {
	for {
		answered := s.tracker.answered.wait()
		s.publishing.Lock()
		_ = s.judge() // it is in the verdict
		s.publishing.Unlock()
		select {
		case <-answered:
		case <-s.context.Done():
			return
		}
	}
}

// judge looks at what Envoys answered. The error is a *RefusedError: then all have gone back. Publishing is locked.
func (s *Server) judge() error {
	p, v := s.published.Load(), s.verdict.Load()
	// First, because a refusal that comes meanwhile must not pass for an answer.
	accepted := p != nil && (v.accepted == nil || v.accepted.version != p.version) && s.tracker.accepted(p.given)
	for _, o := range s.tracker.objections() {
		if s.counts(o, p, v.accepted) {
			return s.rollBack(o, p, v)
		}
	}
	if accepted {
		s.log.Info("snapshot accepted", "version", p.version)
		s.verdict.Store(&verdict{accepted: p, acceptedAt: time.Now()})
		s.judged.ring()
	}
	return nil
}

// counts says whether a refusal has all go back: where there is something to go back to, where what it refuses is part of the
// change and not of what was accepted before, and where the Envoy was not at odds already. Other refusals are reported only.
func (s *Server) counts(o objection, p, accepted *published) bool {
	return p != nil && accepted != nil && p.version != accepted.version && !o.again &&
		s.offered[o.of][o.Version] && accepted.snapshot.GetVersion(typeURLs[o.of]) != o.Version
}

func (s *Server) rollBack(o objection, p *published, v *verdict) error {
	refused := &RefusedError{Version: p.version, Node: o.node, Type: o.of, Message: o.Message, At: o.At}
	back := &published{snapshot: v.accepted.snapshot, version: v.accepted.version, at: time.Now(), given: v.accepted.snapshot}
	way, err := steps(s.caches.sent, back.snapshot)
	if err != nil {
		way = []step{{snapshot: back.snapshot}}
	}
	s.offer(back, way)
	s.verdict.Store(&verdict{accepted: back, acceptedAt: v.acceptedAt, refused: refused})
	s.tracker.metrics.rollbacks.Inc()
	s.log.Error("envoy refused a snapshot: all go back to the last accepted one", "node", o.node, "type", o.of, "error", o.Message,
		"refused", p.version, "version", back.version)
	deaf := func() error { return nil } // what refuses this, too, is at odds with what was accepted
	for _, step := range way {
		if err := s.caches.send(step.snapshot); err != nil {
			s.log.Error("the last accepted snapshot can't be sent", "error", err)
		}
		step.await = Types
		_ = s.settle(step, deaf) // also after the last: the next update must find everybody back
	}
	s.judged.ring()
	return refused
}

// accepted says whether all have answered the snapshot and one holds all of it. Refusals that count never get here.
func (t *tracker) accepted(snapshot *cachev3.Snapshot) bool {
	whole := false
	for _, envoy := range t.envoys(snapshot) {
		if !envoy.answered(snapshot, Types) {
			return false
		}
		whole = whole || !slices.ContainsFunc(Types, func(of Type) bool {
			return len(snapshot.GetResources(typeURLs[of])) > 0 && !envoy.Types[of].Current
		})
	}
	return whole
}

// answered says whether the Envoy acknowledged or refused what the snapshot has of the types that it asked for. What it misses it
// has not answered, unless a refusal is why: who has no cluster asks for no load assignment.
func (e Envoy) answered(snapshot *cachev3.Snapshot, types []Type) bool {
	_, standing := e.LastNack()
	return !slices.ContainsFunc(types, func(of Type) bool {
		state, asked := e.Types[of]
		switch {
		case !asked:
			return false
		case state.Nack != nil: // what was refused is followed by something else, even where Envoy kept that
			return state.Nack.Version != snapshot.GetVersion(typeURLs[of])
		}
		return !state.Current || state.Missing > 0 && standing == nil
	})
}

// Trust takes r for accepted, because an earlier Axon saw it so: the first refusal goes back to it. Call it before Publish.
func (s *Server) Trust(r translate.Resources) error {
	snapshot, err := NewSnapshot(r)
	if err != nil {
		return err
	}
	s.publishing.Lock()
	defer s.publishing.Unlock()
	now := time.Now()
	s.verdict.Store(&verdict{accepted: &published{snapshot: snapshot, version: Version(snapshot), at: now, given: snapshot}, acceptedAt: now})
	return nil
}

// Outcome waits until the connected Envoys have answered what is published, at most 10 s or until ctx ends. The error is a
// *RefusedError where they refused the snapshot of this version; nil says that they accepted it or have not refused it yet.
func (s *Server) Outcome(ctx context.Context, version string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		answered := s.tracker.answered.wait()
		if done, err := s.outcome(version); done {
			return err
		}
		select {
		case <-answered:
		case <-ctx.Done():
			return nil
		case <-s.context.Done():
			return nil
		}
	}
}

func (s *Server) outcome(version string) (done bool, err error) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	p := s.published.Load()
	done = p == nil || p.version != version || s.tracker.settled(step{snapshot: p.given, await: Types}) // before the verdict that this needs
	_ = s.judge()
	if refused := s.verdict.Load().refused; refused != nil && refused.Version == version {
		return true, refused
	}
	return done, nil
}

// Judged gives a channel that is closed at the next acceptance or refusal; State says which.
func (s *Server) Judged() <-chan struct{} { return s.judged.wait() }
