package xds

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/prometheus/client_golang/prometheus"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// running is a server behind a real gRPC server, and what it leaves in log and metrics.
type running struct {
	*Server
	grpc    *grpc.Server
	conn    *grpc.ClientConn
	log     *lockedBuffer
	metrics *prometheus.Registry
}

func run(t *testing.T) *running {
	t.Helper()
	r := &running{log: new(lockedBuffer), metrics: prometheus.NewPedanticRegistry(), grpc: grpc.NewServer(ServerOptions()...)}
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.Server = New(Options{Logger: log, Registerer: r.metrics})
	t.Cleanup(r.Close)
	r.Register(r.grpc)
	listener := bufconn.Listen(1 << 20)
	go r.grpc.Serve(listener)
	t.Cleanup(r.grpc.Stop)

	conn, err := grpc.NewClient("passthrough:xds", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r.conn = conn
	return r
}

// envoy gives the one Envoy that is connected, once it is as wanted.
func (r *running) envoy(t *testing.T, wanted func(Envoy) bool) Envoy {
	t.Helper()
	var envoy Envoy
	wait(t, func() bool {
		all := r.State().Envoys
		if len(all) != 1 {
			return false
		}
		envoy = all[0]
		return wanted(envoy)
	})
	return envoy
}

// wait ends the test when something never comes true; it measures nothing.
func wait(t *testing.T, true func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !true() {
		select {
		case <-ctx.Done():
			t.Fatal("waited in vain")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// bidi is a client's side of a stream; Req and Res are the messages of one of the two protocols.
type bidi[Req, Res any] struct {
	t      *testing.T
	stream grpc.BidiStreamingClient[Req, Res]
}

type (
	deltaClient = bidi[discoveryv3.DeltaDiscoveryRequest, discoveryv3.DeltaDiscoveryResponse]
	sotwClient  = bidi[discoveryv3.DiscoveryRequest, discoveryv3.DiscoveryResponse]
)

func (r *running) delta(t *testing.T) *deltaClient {
	t.Helper()
	return client(t, discoveryv3.NewAggregatedDiscoveryServiceClient(r.conn).DeltaAggregatedResources)
}

func (r *running) sotw(t *testing.T) *sotwClient {
	t.Helper()
	return client(t, discoveryv3.NewAggregatedDiscoveryServiceClient(r.conn).StreamAggregatedResources)
}

func client[Req, Res any](
	t *testing.T, open func(context.Context, ...grpc.CallOption) (grpc.BidiStreamingClient[Req, Res], error),
) *bidi[Req, Res] {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	stream, err := open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return &bidi[Req, Res]{t: t, stream: stream}
}

func (b *bidi[Req, Res]) send(r *Req) {
	b.t.Helper()
	if err := b.stream.Send(r); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bidi[Req, Res]) receive() *Res {
	b.t.Helper()
	r, err := b.stream.Recv()
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func node() *corev3.Node {
	return &corev3.Node{
		Id: "front-1", Cluster: "front", UserAgentName: "envoy",
		UserAgentVersionType: &corev3.Node_UserAgentBuildVersion{UserAgentBuildVersion: &corev3.BuildVersion{
			Version: &typev3.SemanticVersion{MajorNumber: 1, MinorNumber: 40},
		}},
	}
}

// subscribeDelta asks for names, or for everything where there are none.
func subscribeDelta(of Type, names ...string) *discoveryv3.DeltaDiscoveryRequest {
	return &discoveryv3.DeltaDiscoveryRequest{Node: node(), TypeUrl: typeURLs[of], ResourceNamesSubscribe: names}
}

func ackDelta(r *discoveryv3.DeltaDiscoveryResponse) *discoveryv3.DeltaDiscoveryRequest {
	return &discoveryv3.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}
}

func nackDelta(r *discoveryv3.DeltaDiscoveryResponse, message string) *discoveryv3.DeltaDiscoveryRequest {
	request := ackDelta(r)
	request.ErrorDetail = &statuspb.Status{Code: 13, Message: message}
	return request
}

func subscribe(of Type, names ...string) *discoveryv3.DiscoveryRequest {
	return &discoveryv3.DiscoveryRequest{Node: node(), TypeUrl: typeURLs[of], ResourceNames: names}
}

func ack(r *discoveryv3.DiscoveryResponse, names ...string) *discoveryv3.DiscoveryRequest {
	return &discoveryv3.DiscoveryRequest{
		TypeUrl: r.GetTypeUrl(), VersionInfo: r.GetVersionInfo(), ResponseNonce: r.GetNonce(), ResourceNames: names,
	}
}

// nack goes back to version.
func nack(r *discoveryv3.DiscoveryResponse, version, message string) *discoveryv3.DiscoveryRequest {
	return &discoveryv3.DiscoveryRequest{
		TypeUrl: r.GetTypeUrl(), VersionInfo: version, ResponseNonce: r.GetNonce(), ResourceNames: []string{"http"},
		ErrorDetail: &statuspb.Status{Code: 13, Message: message},
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
