package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	extprocfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"axon/server/identity"
	"axon/xds/plan"
	"axon/xds/topology"
	"axon/xds/translate"
)

func packAny(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// gateway puts in the place of a listener's ext_authz an ext_proc that shows the headers of every request, and nothing that
// drops forged ones: all that a gateway of another make might do.
func gateway(t *testing.T, l *listenerv3.Listener) {
	t.Helper()
	filter := l.FilterChains[0].Filters[0]
	manager := &hcmv3.HttpConnectionManager{}
	if err := filter.GetTypedConfig().UnmarshalTo(manager); err != nil {
		t.Fatal(err)
	}
	manager.EarlyHeaderMutationExtensions, manager.LocalReplyConfig = nil, nil
	i := slices.IndexFunc(manager.HttpFilters, func(f *hcmv3.HttpFilter) bool { return f.Name == "envoy.filters.http.ext_authz" })
	manager.HttpFilters[i] = &hcmv3.HttpFilter{Name: "identity", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packAny(t, &extprocfilterv3.ExternalProcessor{
		GrpcService: &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
			EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: translate.IdentityCluster},
		}},
		ProcessingMode: &extprocfilterv3.ProcessingMode{ResponseHeaderMode: extprocfilterv3.ProcessingMode_SKIP},
	})}}
	filter.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: packAny(t, manager)}
}

func TestAGatewayWithoutExtAuthz(t *testing.T) {
	policy := identity.DefaultPolicy()
	policy.Enforce = true
	socket := socketPath(t)
	serve(t, socket, Options{Resolver: resolver(everybody), Policy: policy, NeedsUser: plan.NeedsUser, Log: quiet()})
	p, address := homeserver(t, func(name string) topology.Address { return worker(t, name, nil) })
	p.Identity = identityAt(socket)
	resources := translate.Translate(p)
	gateway(t, resources.Listeners[0])
	d := startDoor(t, resources, address)

	tests := map[string]struct {
		path, token, body string
		status            int
		user              string
	}{
		"a user is told":                     {"/_matrix/client/v3/sync", "of_alice", "", 200, "@alice:example.org"},
		"on every route":                     {"/_matrix/client/v3/capabilities", "of_alice", "", 200, "@alice:example.org"},
		"a token in the query":               {"/_matrix/client/v3/sync?access_token=of_bob", "", "", 200, "@bob:example.org"},
		"no token is missing":                {"/_matrix/client/v3/sync", "", `{"errcode":"M_MISSING_TOKEN","error":"Missing access token"}`, 401, ""},
		"an unknown token is refused":        {"/_matrix/client/v3/sync", "unknown", `"errcode":"M_UNKNOWN_TOKEN"`, 401, ""},
		"nobody to ask":                      {"/_matrix/client/v3/sync", "unavailable", `"errcode":"M_UNKNOWN"`, 503, ""},
		"what needs no user goes on without": {"/_matrix/client/versions", "", "", 200, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			headers := []string{"x-user-identifier", "@evil:x", "x_user-identifier", "@evil:x", "x-axon-group", "evil"}
			if tt.token != "" {
				headers = append(headers, "Authorization", "Bearer "+tt.token)
			}
			response, body := d.send(t, "GET", tt.path, "", headers...)
			if response.StatusCode != tt.status || !strings.Contains(body, tt.body) {
				t.Fatalf("%d: %s", response.StatusCode, body)
			}
			if tt.status != http.StatusOK {
				if got := response.Header.Get("Content-Type") + response.Header.Get("Access-Control-Allow-Origin"); got != "application/json*" {
					t.Errorf("headers %v", response.Header)
				}
				return
			}
			got := saw(t, body).Header
			if got.Get("X-User-Identifier") != tt.user || strings.Contains(fmt.Sprint(got), "evil") {
				t.Errorf("the worker sees %v", got)
			}
		})
	}
}
