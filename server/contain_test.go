package server

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// faulty panics in every call.
type faulty struct {
	authv3.UnimplementedAuthorizationServer
	extprocv3.UnimplementedExternalProcessorServer
}

func (faulty) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	panic("odd")
}

func (faulty) Process(extprocv3.ExternalProcessor_ProcessServer) error { panic("odd") }

func TestPanicsAreContainedAndCounted(t *testing.T) {
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	conn := dial(t, NewAuthzServer(faulty{}, NewHealth(), Contained(registry, slog.New(slog.NewTextHandler(&log, nil)))...))
	for range 2 {
		if _, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), &authv3.CheckRequest{}); status.Code(err) != codes.Internal {
			t.Errorf("Check: %v", err)
		}
		stream, err := extprocv3.NewExternalProcessorClient(conn).Process(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.Internal {
			t.Errorf("Process: %v", err)
		}
	}
	want := `# HELP axon_grpc_panics_total Calls that ended in a contained panic, by method: faults of Axon.
# TYPE axon_grpc_panics_total counter
axon_grpc_panics_total{method="/envoy.service.auth.v3.Authorization/Check"} 2
axon_grpc_panics_total{method="/envoy.service.ext_proc.v3.ExternalProcessor/Process"} 2
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "contain_test.go") {
		t.Errorf("the log does not say where:\n%s", &log)
	}
}
