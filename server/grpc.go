package server

import (
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// authzOptions are the limits of the server that Envoy asks on every request.
var authzOptions = []grpc.ServerOption{
	// A CheckRequest is the headers that Envoy lets through, 60 KiB by default, and a body only where an operator adds it.
	grpc.MaxRecvMsgSize(1 << 20),
	grpc.MaxSendMsgSize(64 << 10),
	grpc.MaxConcurrentStreams(4096), // of one connection, and Envoy has one a thread
	grpc.ConnectionTimeout(5 * time.Second),
	grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
	grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
}

// NewAuthzServer makes the gRPC server for Envoy's ext_authz, with the health service. Stop ends it.
func NewAuthzServer(authz authv3.AuthorizationServer, health *Health) *grpc.Server {
	s := grpc.NewServer(authzOptions...)
	authv3.RegisterAuthorizationServer(s, authz)
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
