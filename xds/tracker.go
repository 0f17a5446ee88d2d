package xds

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
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

	// answered is told of every answer and every stream that ends; it holds one for the one who waits.
	answered chan struct{}

	mu      sync.Mutex
	streams map[streamKey]*stream
}

type stream struct {
	url   string // empty on an aggregated stream
	peer  string
	since time.Time
	node  *corev3.Node    // nil before the first request
	sent  map[string]sent // by nonce, until it is answered
	held  map[Type]*held
}

type sent struct {
	of      Type
	version string
}

// held is what the Envoy holds of one type.
type held struct {
	acked   string
	ackedAt time.Time
	nack    *Nack
	brought map[string]string // versions by name from an earlier stream
}

// unanswered bounds the answers that a client may leave without ACK and NACK. Envoy leaves one or two of each type.
const unanswered = 256

func newTracker(log *slog.Logger, r prometheus.Registerer) *tracker {
	return &tracker{log: log, metrics: newMetrics(r), answered: make(chan struct{}, 1), streams: map[streamKey]*stream{}}
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
	t.tell()
}

func (t *tracker) tell() {
	select {
	case t.answered <- struct{}{}:
	default:
	}
}

func (t *tracker) responded(key streamKey, url, nonce, version string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.streams[key]; s != nil {
		s.sent[nonce] = sent{of: typeOf(url), version: version}
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
		h = &held{brought: maps.Clone(r.holding)}
		s.held[of] = h
	}
	refused = t.answer(s, h, of, r)
	t.tell()
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
		h.nack = &Nack{Version: answered.version, Message: r.error.GetMessage(), At: time.Now()}
		t.metrics.nacks.WithLabelValues(string(of)).Inc()
		t.log.Error("envoy refused an update and keeps what it had", append(about, "error", r.error.GetMessage())...)
		return answered.version
	case known:
		h.acked, h.ackedAt, h.nack, h.brought = answered.version, time.Now(), nil, nil
		t.metrics.acks.WithLabelValues(string(of)).Inc()
		t.log.Debug("envoy acknowledged an update", about...)
	}
	return ""
}

func (s *stream) who() []any { return []any{"node", s.node.GetId(), "peer", s.peer} }
