package server

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/testing/protocmp"

	"axon/server/identity"
)

type resolver func(context.Context, identity.Request) (identity.Identity, error)

func (r resolver) Resolve(ctx context.Context, q identity.Request) (identity.Identity, error) {
	return r(ctx, q)
}

// dial connects to a server in memory.
func dial(t *testing.T, s *grpc.Server) *grpc.ClientConn {
	t.Helper()
	l := bufconn.Listen(1 << 20)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient("passthrough:///axon", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// checkRequest is what Envoy sends; headers are name, value, name, value.
func checkRequest(path, source string, headers ...string) *authv3.CheckRequest {
	http := &authv3.AttributeContext_HttpRequest{Method: "GET", Path: path, Headers: map[string]string{}}
	for i := 0; i < len(headers); i += 2 {
		http.Headers[headers[i]] = headers[i+1]
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Request: &authv3.AttributeContext_Request{Http: http},
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: source},
		}}},
	}}
}

func TestTheResolverLearnsWhoAsks(t *testing.T) {
	const path = "/sync?user_id=%40bob%3Ahs"
	tests := map[string]struct {
		request *authv3.CheckRequest
		want    identity.Request
	}{
		"the last forwarded address is the one that Envoy trusts": {
			checkRequest(path, "10.0.0.1", "authorization", "Bearer t", "x-forwarded-for", "1.2.3.4, 203.0.113.7", "user-agent", "Element"),
			identity.Request{Token: "t", UserID: "@bob:hs", ForwardedFor: "203.0.113.7", UserAgent: "Element"},
		},
		"without it the connection's address": {
			checkRequest("/sync", "198.51.100.1", "authorization", "Bearer t"),
			identity.Request{Token: "t", ForwardedFor: "198.51.100.1"},
		},
		"a token in the query": {
			checkRequest("/sync?access_token=q", "198.51.100.1", "x-forwarded-for", ""),
			identity.Request{Token: "q", ForwardedFor: "198.51.100.1"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got identity.Request
			conn := dialAuthz(t, resolver(func(_ context.Context, r identity.Request) (identity.Identity, error) {
				got = r
				return identity.Identity{}, identity.ErrUnknownToken
			}), identity.DefaultPolicy(), nil)
			for protocol, decide := range protocols {
				decide(t, conn, test.request)
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("%s: request (-want +got):\n%s", protocol, diff)
				}
			}
		})
	}
}

func TestASilentSynapseDelaysARequestNoLongerThanTheTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := resolver(func(ctx context.Context, _ identity.Request) (identity.Identity, error) {
			<-ctx.Done()
			return identity.Identity{}, fmt.Errorf("%w: %w", identity.ErrUnavailable, ctx.Err())
		})
		cache, err := identity.NewCache(identity.DefaultConfig(), silent, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer cache.Close()
		authz := NewAuthz(Options{Resolver: cache, Log: slog.New(slog.DiscardHandler)})
		start := time.Now()
		got, err := authz.Check(t.Context(), checkRequest("/", "", "authorization", "Bearer t"))
		if diff := cmp.Diff(authz.anonymous, got, protocmp.Transform()); diff != "" || err != nil {
			t.Errorf("%v, response (-want +got):\n%s", err, diff)
		}
		if waited := time.Since(start); waited != 500*time.Millisecond {
			t.Errorf("waited %s", waited)
		}
	})
}

func TestFailuresAreLoggedOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		authz := NewAuthz(Options{Resolver: resolver(func(context.Context, identity.Request) (identity.Identity, error) {
			return identity.Identity{}, fmt.Errorf("whoami: %w", identity.ErrUnavailable)
		}), Log: slog.New(slog.NewTextHandler(&log, nil))})
		for range 250 { // 25 seconds
			_, _ = authz.Check(t.Context(), checkRequest("/", "", "authorization", "Bearer syt_secret"))
			time.Sleep(100 * time.Millisecond)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 3 || !strings.Contains(lines[2], "failed=100 ") || strings.Contains(log.String(), "secret") {
			t.Errorf("log:\n%s", &log)
		}
	})
}

func BenchmarkCheckCached(b *testing.B) {
	cache, err := identity.NewCache(identity.DefaultConfig(), resolver(func(context.Context, identity.Request) (identity.Identity, error) {
		return identity.Identity{UserID: "@alice:example.org", DeviceID: "ABCDEFGHIJ"}, nil
	}), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer cache.Close()
	authz := NewAuthz(Options{Resolver: cache, Policy: identity.DefaultPolicy(), Registerer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)})
	request := checkRequest("/_matrix/client/v3/sync?since=s1_2_3&timeout=30000&set_presence=offline", "198.51.100.1",
		"authorization", "Bearer syt_YWxpY2U_qwertyuiopasdfghjklz_1a2B3c", "x-forwarded-for", "203.0.113.7", "user-agent", "Element/1.11")
	if r, _ := authz.Check(b.Context(), request); len(r.GetOkResponse().GetHeaders()) != 2 {
		b.Fatal(r)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = authz.Check(b.Context(), request)
	}
}
