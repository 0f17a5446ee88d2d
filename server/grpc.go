package server

import (
	"runtime"
	"slices"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// authzOptions are the limits of the server that Envoy asks on every request.
var authzOptions = []grpc.ServerOption{
	// A CheckRequest is the headers that Envoy lets through, 60 KiB by default, and a body only where an operator adds it. The
	// body of an answer to a login is far less than this; Envoy lets one go on that is more.
	grpc.MaxRecvMsgSize(1 << 20),
	grpc.MaxSendMsgSize(64 << 10),
	grpc.MaxConcurrentStreams(4096),                          // of one connection, and Envoy has one a thread
	grpc.NumStreamWorkers(uint32(2 * runtime.GOMAXPROCS(0))), // goroutines whose stacks have grown already
	grpc.ConnectionTimeout(5 * time.Second),
	grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
	grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
}

// Asked is what Envoy asks about requests; Authz is it.
type Asked interface {
	authv3.AuthorizationServer
	extprocv3.ExternalProcessorServer
}

// NewAuthzServer makes the gRPC server for Envoy's ext_authz and ext_proc, with the health service. Stop ends it.
func NewAuthzServer(asked Asked, health *Health, options ...grpc.ServerOption) *grpc.Server {
	s := grpc.NewServer(append(slices.Clone(authzOptions), options...)...)
	authv3.RegisterAuthorizationServer(s, asked)
	extprocv3.RegisterExternalProcessorServer(s, asked)
	health.Register(s)
	return s
}

// Stop says NOT_SERVING, lets calls under way end for as long as grace, and cuts the rest: GracefulStop alone waits for
// ever on a stream. It is not for a server that answers through ServeHTTP, which cannot be drained.
func Stop(s *grpc.Server, health *Health, grace time.Duration) {
	health.stop()
	cut := time.AfterFunc(grace, s.Stop)
	defer cut.Stop()
	s.GracefulStop()
}
