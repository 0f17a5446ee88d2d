// Package xds gives Envoy its listeners, routes, clusters and endpoints, and keeps account of who took what.
//
// Envoys ask over one aggregated stream (ADS), delta or state of the world, or over a stream for each type. All of them get the
// same snapshot. Nothing is answered before the first Publish: an Envoy that is asked to wait goes on with what it has, whereas
// an empty answer would take everything down.
package xds

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	listenerservice "github.com/envoyproxy/go-control-plane/envoy/service/listener/v3"
	routeservice "github.com/envoyproxy/go-control-plane/envoy/service/route/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	deltav3 "github.com/envoyproxy/go-control-plane/pkg/server/delta/v3"
	restv3 "github.com/envoyproxy/go-control-plane/pkg/server/rest/v3"
	sotwv3 "github.com/envoyproxy/go-control-plane/pkg/server/sotw/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"axon/xds/translate"
)

// Options are what a Server takes from its surroundings; each may be nil.
type Options struct {
	Logger     *slog.Logger          // nil: slog.Default()
	Registerer prometheus.Registerer // nil: metrics are kept, and shown nowhere
}

// Server holds the published snapshot and answers Envoys with it.
type Server struct {
	log     *slog.Logger
	tracker *tracker
	context context.Context // ends with Close
	end     context.CancelFunc

	aggregated, single serverv3.Server
	caches             caches

	linger     time.Duration // a constant, but for tests
	publishing sync.Mutex
	published  atomic.Pointer[published]
	verdict    atomic.Pointer[verdict]
	judged     bell                     // rings when the verdict has changed
	offered    map[Type]map[string]bool // versions that belong to what is published, those of steps on the way included
}

type published struct {
	snapshot *cachev3.Snapshot
	version  string
	at       time.Time
	given    *cachev3.Snapshot // what Envoys have of it: the snapshot, for a while with clusters that it does not have
}

// New makes a server that waits for its first Publish.
func New(o Options) *Server {
	log := o.Logger
	if log == nil {
		log = slog.Default()
	}
	ctx, end := context.WithCancel(context.Background())
	s := &Server{log: log, context: ctx, end: end, tracker: newTracker(log, o.Registerer), caches: newCaches(log), linger: linger}
	s.verdict.Store(&verdict{})
	s.aggregated, s.single = s.serve(true), s.serve(false)
	if o.Registerer != nil {
		o.Registerer.MustRegister(collector{s})
	}
	go s.follow()
	return s
}

func (s *Server) serve(aggregated bool) serverv3.Server {
	c := callbacks{tracker: s.tracker, aggregated: aggregated}
	return serverv3.NewServerAdvanced(restv3.NewServer(s.caches.world, c),
		sotwv3.NewServer(s.context, s.caches.world, c, sotwv3.WithOrderedADS()),
		deltav3.NewServer(s.context, s.caches.delta, c))
}

// ServerOptions fit a gRPC server for many Envoys. Give the control plane a server of its own: its streams stay open for days.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		// Envoy pings every 10 s in the bootstrap that Axon writes; gRPC's own limit of 5 min would cut it off.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		// An Envoy that went away without a word is noticed within 40 s.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		// Per connection; an Envoy needs one, or one for each cluster where it does not aggregate.
		grpc.MaxConcurrentStreams(1024),
	}
}

// Register adds the aggregated discovery service and those of each type.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(r, s.aggregated)
	listenerservice.RegisterListenerDiscoveryServiceServer(r, s.single)
	routeservice.RegisterRouteDiscoveryServiceServer(r, s.single)
	clusterservice.RegisterClusterDiscoveryServiceServer(r, s.single)
	endpointservice.RegisterEndpointDiscoveryServiceServer(r, s.single)
}

// Publish gives r to every Envoy, those that connect later included; r may not change afterwards. Content equal to what is
// published changes nothing and wakes no Envoy. On an error, which joins all faults of r, what was published stays. Where
// clusters come or go it waits until the connected Envoys are ready for the next step, mostly milliseconds, at most 20 s.
// An Envoy that refuses r has all go back to what was accepted last; the error is then a *RefusedError, of this Publish if the
// refusal came between its steps, or of Outcome. Content that was refused within the last minute is not tried again.
func (s *Server) Publish(r translate.Resources) (changed bool, err error) {
	snapshot, err := NewSnapshot(r)
	if err != nil {
		return false, err
	}
	version := Version(snapshot)

	s.publishing.Lock()
	defer s.publishing.Unlock()
	_ = s.judge() // of what was published before, which may have all go back
	if p := s.published.Load(); p != nil && p.version == version {
		return false, nil
	}
	if refused := s.verdict.Load().refused; refused != nil && refused.Version == version && time.Since(refused.At) < memory {
		return false, refused
	}
	way, err := steps(s.caches.sent, snapshot)
	if err != nil {
		return false, err
	}
	p := &published{snapshot: snapshot, version: version, at: time.Now(), given: given(s.caches.sent, way)}
	s.offer(p, way)
	if err := s.rollOut(p, way); err != nil {
		return false, fmt.Errorf("snapshot %s: %w", version, err)
	}
	s.log.Info("snapshot published", "version", version, "listeners", len(r.Listeners), "routes", len(r.Routes),
		"clusters", len(r.Clusters), "endpoints", len(r.Endpoints))
	return true, nil
}

// Ready says whether something is published.
func (s *Server) Ready() bool { return s.published.Load() != nil }

// Close ends all streams, so that grpc.Server.GracefulStop does not wait for them for ever. Envoys go on with what they have.
func (s *Server) Close() { s.end() }
