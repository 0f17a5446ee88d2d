package server

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/prometheus/client_golang/prometheus"

	"axon/server/identity"
	"axon/xds/topology"
)

func TestAppservicesGetTheirGroup(t *testing.T) {
	bridge := func(token string) *authv3.CheckRequest {
		return checkRequest("/_matrix/client/v3/createRoom", "198.51.100.1", "authorization", "Bearer "+token)
	}
	works := resolver(func(context.Context, identity.Request) (identity.Identity, error) {
		return identity.Identity{UserID: "@bot:example.org"}, nil
	})
	fails := resolver(func(context.Context, identity.Request) (identity.Identity, error) {
		return identity.Identity{}, fmt.Errorf("whoami: %w", identity.ErrUnavailable)
	})
	tests := map[string]struct {
		request  *authv3.CheckRequest
		resolver resolver
		sets     string
		removes  string
	}{
		"a bridge's token sets its group beside its user": {bridge("as-secret"), works, "x-user-identifier x-axon-affinity x-axon-group", "x_user_identifier x_axon_affinity x_axon_group"},
		"its group is known when nothing else is":         {bridge("as-secret"), fails, "x-axon-group", "x-user-identifier x-axon-affinity x_user_identifier x_axon_affinity x_axon_group"},
		"another token has none":                          {bridge("syt_other"), works, "x-user-identifier x-axon-affinity", "x-axon-group x_user_identifier x_axon_affinity x_axon_group"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			authz := NewAuthz(tt.resolver, prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
			authz.SetAppservices(AppservicesOf(&topology.Topology{Appservices: []topology.Appservice{
				{ID: "telegram", Group: "bridges", Token: sha256.Sum256([]byte("as-secret"))},
			}}))
			response, err := authz.Check(t.Context(), tt.request)
			if err != nil {
				t.Fatal(err)
			}
			var sets []string
			for _, h := range response.GetOkResponse().Headers {
				sets = append(sets, h.Header.Key)
			}
			if got := strings.Join(sets, " "); got != tt.sets {
				t.Errorf("sets %q, want %q", got, tt.sets)
			}
			if got := strings.Join(response.GetOkResponse().HeadersToRemove, " "); got != tt.removes {
				t.Errorf("removes %q, want %q", got, tt.removes)
			}
		})
	}
}
