package translate

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"

	"axon/affinity"
	"axon/envoy/envoytest"
	"axon/xds/plan"
	"axon/xds/topology"
)

// oneBridge stands for Axon's server: it knows one token.
type oneBridge struct {
	authv3.UnimplementedAuthorizationServer
}

func (oneBridge) Check(_ context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	answer := &authv3.OkHttpResponse{}
	if r.GetAttributes().GetRequest().GetHttp().GetHeaders()["authorization"] == "Bearer of-the-bridge" {
		answer.Headers = []*corev3.HeaderValueOption{setHeader(affinity.GroupHeader, "bridges")}
	}
	return &authv3.CheckResponse{Status: &status.Status{}, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: answer}}, nil
}

func TestABridgeHasItsOwnWorkers(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "authz")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, oneBridge{})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)

	p := planOf(t, "bridge")
	p.Identity = &plan.Identity{Address: topology.Address{Path: socket}, Timeout: time.Second, Rematch: true}
	p.Listeners = []plan.Listener{listenerFor(t)}
	for i := range p.Clusters {
		c := &p.Clusters[i]
		c.Members, c.Fallback, c.Hashed = []plan.Member{{Name: c.Name, Address: standIn(t, c.Name)}}, nil, false
	}
	static, err := Static(Translate(p))
	if err != nil {
		t.Fatal(err)
	}
	envoytest.Start(t, &bootstrapv3.Bootstrap{Node: &corev3.Node{Id: "test", Cluster: "test"}, StaticResources: static})
	f := front{address: p.Listeners[0].Address.String(), client: &http.Client{}}
	f.wait(t)

	const send = "/_matrix/client/v3/rooms/!a:b/send/m.room.message/1"
	tests := map[string]struct {
		path, token, who string
		header           map[string]string
	}{
		"what the bridge sends goes to its workers":          {path: send, token: "of-the-bridge", who: "bridges"},
		"what users send does not":                           {path: send, token: "syt_alice", who: "event_creator"},
		"nor what a client says to be the bridge's":          {path: send, token: "syt_alice", who: "event_creator", header: map[string]string{"X-Axon-Group": "bridges"}},
		"what the bridge asks beside that goes where all do": {path: "/_matrix/client/v3/rooms/!a:b/typing/@a:b", token: "of-the-bridge", who: "main"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			header := map[string]string{"Authorization": "Bearer " + tt.token}
			for k, v := range tt.header {
				header[k] = v
			}
			_, body := f.send(t, f.address, http.MethodPut, "", tt.path, header)
			if !strings.Contains(body, `"Who":"`+tt.who+`"`) {
				t.Errorf("want %s to get it: %s", tt.who, body)
			}
		})
	}
}
