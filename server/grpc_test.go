package server

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"axon/server/identity"
)

func TestHealth(t *testing.T) {
	health := NewHealth()
	client := healthv1.NewHealthClient(dial(t, NewAuthzServer(NewAuthz(Options{Log: slog.New(slog.DiscardHandler)}), health)))
	expect := func(want healthv1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for _, service := range []string{"", "envoy.service.auth.v3.Authorization", "envoy.service.ext_proc.v3.ExternalProcessor"} {
			got, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
			if err != nil || got.GetStatus() != want {
				t.Errorf("%q: %v, %v, want %v", service, got.GetStatus(), err, want)
			}
		}
	}
	expect(healthv1.HealthCheckResponse_NOT_SERVING)
	health.SetReady(true)
	expect(healthv1.HealthCheckResponse_SERVING)
	health.SetReady(false)
	expect(healthv1.HealthCheckResponse_NOT_SERVING)
}

func TestStopLetsCallsEndAndCutsStreams(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	slow := resolver(func(context.Context, identity.Request) (identity.Identity, error) {
		close(begun)
		<-release
		return identity.Identity{UserID: "@alice:example.org"}, nil
	})
	health := NewHealth()
	health.SetReady(true)
	s := NewAuthzServer(NewAuthz(Options{Resolver: slow, Policy: identity.DefaultPolicy(), Log: slog.New(slog.DiscardHandler)}), health)
	conn := dial(t, s)
	watch, err := healthv1.NewHealthClient(conn).Watch(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := watch.Recv(); err != nil || got.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Fatalf("%v, %v", got, err)
	}
	answered := make(chan int, 1)
	go func() {
		r, _ := authv3.NewAuthorizationClient(conn).Check(t.Context(), checkRequest("/", "", "authorization", "Bearer t"))
		answered <- len(r.GetOkResponse().GetHeaders())
	}()
	<-begun
	stopped := make(chan struct{})
	go func() {
		Stop(s, health, time.Second) // the watch would hold it for ever
		close(stopped)
	}()
	if got, err := watch.Recv(); err != nil || got.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("the watch ends with %v, %v", got, err)
	}
	close(release)
	if n := <-answered; n != 2 {
		t.Errorf("the call under way got %d headers", n)
	}
	<-stopped
}

func TestMessagesAreBounded(t *testing.T) {
	authz := NewAuthz(Options{Resolver: resolver(everybody), Policy: identity.DefaultPolicy(), Log: slog.New(slog.DiscardHandler)})
	client := authv3.NewAuthorizationClient(dial(t, NewAuthzServer(authz, NewHealth())))
	for name, tt := range map[string]struct {
		size int
		want codes.Code
	}{
		"all headers that Envoy takes": {60 << 10, codes.OK},
		"more than anybody has to say": {2 << 20, codes.ResourceExhausted},
		"what nearly all have to say":  {1 << 10, codes.OK},
	} {
		request := checkRequest("/", "", "authorization", "Bearer of_alice", "user-agent", strings.Repeat("a", tt.size))
		if _, err := client.Check(t.Context(), request); status.Code(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}
