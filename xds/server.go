// Package xds gives Envoy its listeners, routes, clusters and endpoints, and keeps account of who took what.
//
// Envoys ask over one aggregated stream (ADS), delta or state of the world, or over a stream for each type. All of them get the
// same snapshot. Nothing is answered before the first Publish: an Envoy that is asked to wait goes on with what it has, whereas
// an empty answer would take everything down.
package xds

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	listenerservice "github.com/envoyproxy/go-control-plane/envoy/service/listener/v3"
	routeservice "github.com/envoyproxy/go-control-plane/envoy/service/route/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
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

	// go-control-plane orders the answers of an aggregated stream only in a cache that holds back state-of-the-world answers
	// until every name is asked for, which a stream of one type may never do. Hence two caches with one content.
	aggregated, single caching

	publishing sync.Mutex
	published  atomic.Pointer[published]
}

type caching struct {
	cache  cachev3.SnapshotCache
	server serverv3.Server
}

type published struct {
	snapshot *cachev3.Snapshot
	version  string
	at       time.Time
}

// oneForAll is the node hash: every Envoy gets the same.
type oneForAll struct{}

const everyNode = "all"

func (oneForAll) ID(*corev3.Node) string { return everyNode }

// New makes a server that waits for its first Publish.
func New(o Options) *Server {
	log := o.Logger
	if log == nil {
		log = slog.Default()
	}
	ctx, end := context.WithCancel(context.Background())
	s := &Server{log: log, context: ctx, end: end, tracker: newTracker(log, o.Registerer)}
	for _, c := range []*caching{&s.aggregated, &s.single} {
		ads := c == &s.aggregated
		c.cache = cachev3.NewSnapshotCache(ads, oneForAll{}, logger{log})
		c.server = serverv3.NewServer(ctx, c.cache, callbacks{tracker: s.tracker, aggregated: ads}, sotwv3.WithOrderedADS())
	}
	if o.Registerer != nil {
		o.Registerer.MustRegister(collector{s})
	}
	return s
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
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(r, s.aggregated.server)
	listenerservice.RegisterListenerDiscoveryServiceServer(r, s.single.server)
	routeservice.RegisterRouteDiscoveryServiceServer(r, s.single.server)
	clusterservice.RegisterClusterDiscoveryServiceServer(r, s.single.server)
	endpointservice.RegisterEndpointDiscoveryServiceServer(r, s.single.server)
}

// Publish gives r to every Envoy, those that connect later included; r may not change afterwards. Content equal to what is
// published changes nothing and wakes no Envoy. On an error, which joins all faults of r, what was published stays. Where
// clusters come or go it waits until the connected Envoys are ready for the next step, mostly milliseconds, at most 20 s.
func (s *Server) Publish(r translate.Resources) (changed bool, err error) {
	snapshot, err := NewSnapshot(r)
	if err != nil {
		return false, err
	}
	version := Version(snapshot)

	s.publishing.Lock()
	defer s.publishing.Unlock()
	if p := s.published.Load(); p != nil && p.version == version {
		return false, nil
	}
	way, err := steps(s.current(), snapshot)
	if err != nil {
		return false, err
	}
	s.published.Store(&published{snapshot: snapshot, version: version, at: time.Now()})
	if err := s.rollOut(way); err != nil {
		return true, fmt.Errorf("snapshot %s: %w", version, err)
	}
	s.log.Info("snapshot published", "version", version, "listeners", len(r.Listeners), "routes", len(r.Routes),
		"clusters", len(r.Clusters), "endpoints", len(r.Endpoints))
	return true, nil
}

func (s *Server) current() *cachev3.Snapshot {
	if p := s.published.Load(); p != nil {
		return p.snapshot
	}
	return nil
}

func (s *Server) send(snapshot *cachev3.Snapshot) error {
	ctx := context.Background() // a deadline would leave some Envoys unanswered
	return errors.Join(
		s.aggregated.cache.SetSnapshot(ctx, everyNode, snapshot),
		s.single.cache.SetSnapshot(ctx, everyNode, snapshot),
	)
}

// Ready says whether something is published.
func (s *Server) Ready() bool { return s.published.Load() != nil }

// Close ends all streams, so that grpc.Server.GracefulStop does not wait for them for ever. Envoys go on with what they have.
func (s *Server) Close() { s.end() }
