package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Contained are options of a gRPC server: a panic in a handler ends its call, not the process, and is counted. They may
// be given to several servers.
func Contained(reg prometheus.Registerer, log *slog.Logger) []grpc.ServerOption {
	c := container{log, promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "axon_grpc_panics_total", Help: "Calls that ended in a contained panic, by method: faults of Axon.",
	}, []string{"method"})}
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(c.unary), grpc.ChainStreamInterceptor(c.stream)}
}

type container struct {
	log    *slog.Logger
	panics *prometheus.CounterVec
}

func (c container) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (_ any, err error) {
	defer c.contain(info.FullMethod, &err)
	return handle(ctx, request)
}

func (c container) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer c.contain(info.FullMethod, &err)
	return handle(server, stream)
}

// contain turns a panic into the call's error. Only methods that are registered get here, so that the label is bounded.
func (c container) contain(method string, err *error) {
	p := recover()
	if p == nil {
		return
	}
	c.panics.WithLabelValues(method).Inc()
	c.log.Error("a fault in Axon: a call was ended", "method", method, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	*err = status.Error(codes.Internal, "a fault in Axon; its log says more")
}
