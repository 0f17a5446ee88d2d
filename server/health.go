package server

import (
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// Health is the gRPC health service: NOT_SERVING until told that Axon is ready, for the server as a whole ("") and for
// ext_authz and ext_proc by name.
type Health struct{ server *health.Server }

// NewHealth is not ready.
func NewHealth() *Health {
	h := &Health{health.NewServer()}
	h.SetReady(false)
	return h
}

// Register adds the service to a server.
func (h *Health) Register(s grpc.ServiceRegistrar) { healthv1.RegisterHealthServer(s, h.server) }

// SetReady says whether Axon is ready: whether a snapshot is published. After Stop it has no effect.
func (h *Health) SetReady(ready bool) {
	status := healthv1.HealthCheckResponse_NOT_SERVING
	if ready {
		status = healthv1.HealthCheckResponse_SERVING
	}
	for _, service := range []string{"", authv3.Authorization_ServiceDesc.ServiceName, extprocv3.ExternalProcessor_ServiceDesc.ServiceName} {
		h.server.SetServingStatus(service, status)
	}
}

// stop says NOT_SERVING for good and ends the watches.
func (h *Health) stop() { h.server.Shutdown() }
