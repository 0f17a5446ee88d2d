package xds

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/peer"
)

// tracker keeps account of every stream.
type tracker struct {
	log     *slog.Logger
	metrics metrics

	// answered rings at every answer and every stream that ends.
	answered bell

	mu      sync.Mutex
	streams map[streamKey]*stream
	unheard []objection // not judged yet
}

// objection is a Nack and whose it is.
type objection struct {
	Nack
	of   Type
	node string
	// again says that an earlier refusal of this type stood already: this Envoy has not taken up what others have.
	again bool
}

// unjudged bounds what is kept, in case that nobody asks for it.
const unjudged = 64

type stream struct {
	url   string // empty on an aggregated stream
	peer  string
	since time.Time
	node  *corev3.Node    // nil before the first request
	sent  map[string]sent // by nonce, until it is answered
	held  map[Type]*held
}

type sent struct {
	of        Type
	version   string
	count     int               // of the resources of a state-of-the-world answer
	resources map[string]string // versions by name of a delta answer
	removed   []string
}

// held is what the Envoy holds of one type.
type held struct {
	acked   string
	ackedAt time.Time
	nack    *Nack
	brought map[string]string // versions by name from an earlier stream
	count   int               // of the resources that it acknowledged over state of the world
	has     map[string]string // versions by name that it acknowledged over delta, or brought
	spurned map[string]string // those that it refused over delta
}

// unanswered bounds the answers that a client may leave without ACK and NACK. Envoy leaves one or two of each type.
const unanswered = 256

func newTracker(log *slog.Logger, r prometheus.Registerer) *tracker {
	return &tracker{log: log, metrics: newMetrics(r), streams: map[streamKey]*stream{}}
}

func (t *tracker) opened(ctx context.Context, key streamKey, url string) {
	s := &stream{url: url, since: time.Now(), sent: map[string]sent{}, held: map[Type]*held{}}
	if p, ok := peer.FromContext(ctx); ok {
		s.peer = p.Addr.String()
		if p.Addr.Network() == "unix" {
			s.peer = "unix" // a client's socket has no name
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.streams[key] = s
}

func (t *tracker) closed(key streamKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.streams[key]; s != nil && s.node != nil {
		t.log.Info("envoy disconnected", s.who()...)
	}
	delete(t.streams, key)
	t.answered.ring()
}

func (t *tracker) responded(key streamKey, nonce string, answer sent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.streams[key]; s != nil {
		s.sent[nonce] = answer
	}
}

// requested gives the version that the request refuses, and an error, which ends the stream, to a client that does not answer
// what it is sent.
func (t *tracker) requested(key streamKey, r request) (refused string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.streams[key]
	if s == nil {
		return "", nil
	}
	if s.node == nil && r.node != nil {
		s.node = r.node
		t.log.Info("envoy connected", append(s.who(), "build", build(s.node), "delta", key.delta)...)
	}
	if r.url == "" {
		r.url = s.url
	}
	of := typeOf(r.url)
	h := s.held[of]
	if h == nil {
		// A clone, since go-control-plane goes on to change its own.
		h = &held{brought: maps.Clone(r.holding), has: map[string]string{}, spurned: map[string]string{}}
		maps.Copy(h.has, r.holding)
		s.held[of] = h
	}
	refused = t.answer(s, h, of, r)
	t.answered.ring()
	if len(s.sent) > unanswered {
		return refused, fmt.Errorf("node %q: %d answers without ACK or NACK", s.node.GetId(), len(s.sent))
	}
	return refused, nil
}

// answer notes an ACK or a NACK and lets a mere subscription be.
func (t *tracker) answer(s *stream, h *held, of Type, r request) (refused string) {
	answered, known := s.sent[r.nonce]
	delete(s.sent, r.nonce)
	about := append(s.who(), "type", of, "version", answered.version)
	switch {
	case r.error != nil:
		n := Nack{Version: answered.version, Message: strings.TrimSpace(r.error.GetMessage()), At: time.Now()}
		t.object(objection{Nack: n, of: of, node: s.node.GetId(), again: h.nack != nil})
		h.nack = &n
		maps.Copy(h.spurned, answered.resources)
		t.metrics.nacks.WithLabelValues(string(of)).Inc()
		t.log.Error("envoy refused an update and keeps what it had", append(about, "error", n.Message)...)
		return answered.version
	case known:
		h.acked, h.ackedAt, h.nack, h.brought = answered.version, time.Now(), nil, nil
		h.count = answered.count
		maps.Copy(h.has, answered.resources)
		for _, name := range answered.removed {
			delete(h.has, name)
		}
		t.metrics.acks.WithLabelValues(string(of)).Inc()
		t.log.Debug("envoy acknowledged an update", about...)
	}
	return ""
}

func (t *tracker) object(o objection) {
	if len(t.unheard) == unjudged {
		t.unheard = t.unheard[1:]
	}
	t.unheard = append(t.unheard, o)
}

// objections are those since the last call.
func (t *tracker) objections() []objection {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.unheard
	t.unheard = nil
	return all
}

func (s *stream) who() []any { return []any{"node", s.node.GetId(), "peer", s.peer} }
