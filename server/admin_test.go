package server

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// serveAdmin gives the address.
func serveAdmin(t *testing.T, a Admin) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := a.Server()
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

func TestAdminPages(t *testing.T) {
	registry := prometheus.NewRegistry()
	promauto.With(registry).NewCounter(prometheus.CounterOpts{Name: "axon_test_total"}).Inc()
	waits := func() error { return errors.New("waiting for workers") }
	tests := map[string]struct {
		ready        func() error
		method, path string
		code         int
		text         string
	}{
		"the page names the others":       {waits, "GET", "/", 200, "/metrics"},
		"metrics are Prometheus's":        {waits, "GET", "/metrics", 200, "axon_test_total 1"},
		"a process that is up is healthy": {waits, "GET", "/healthz", 200, "up"},
		"not ready says what for":         {waits, "GET", "/readyz", 503, "waiting for workers"},
		"ready with a snapshot":           {func() error { return nil }, "GET", "/readyz", 200, "ready"},
		"nothing else is there":           {waits, "GET", "/other", 404, ""},
		"nothing can be posted":           {waits, "POST", "/healthz", 405, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			address := serveAdmin(t, Admin{Metrics: registry, Ready: test.ready, Log: slog.New(slog.DiscardHandler)})
			r, err := http.NewRequestWithContext(t.Context(), test.method, "http://"+address+test.path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != test.code || !strings.Contains(string(body), test.text) {
				t.Errorf("%d %q, %v", res.StatusCode, body, err)
			}
		})
	}
}

func TestAdminAnswersGRPCAtTheSameAddress(t *testing.T) {
	health := NewHealth()
	health.SetReady(true)
	s := grpc.NewServer()
	health.Register(s)
	address := serveAdmin(t, Admin{
		Metrics: prometheus.NewRegistry(), Ready: func() error { return nil }, GRPC: s, Log: slog.New(slog.DiscardHandler),
	})
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil || got.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("%v, %v", got, err)
	}
}
