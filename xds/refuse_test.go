package xds

import (
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"

	"axon/xds/translate"
)

// A real Envoy refuses what our own check can't know, and no request is lost.
func TestRealEnvoyGoesBackToWhatItAccepted(t *testing.T) {
	for name, protocol := range map[string]corev3.ApiConfigSource_ApiType{
		"delta": corev3.ApiConfigSource_DELTA_GRPC, "state of the world": corev3.ApiConfigSource_GRPC,
	} {
		t.Run(name, func(t *testing.T) {
			e, port := startEnvoy(t, protocol), upstream(t)
			r := e.serve(t)
			good := only(t, "a")
			good.Endpoints[0] = assignment("a", port)
			r.sends(t, good, true)
			wait(t, func() bool { return r.State().Accepted == versionOf(t, good) })
			e.answers(t, "/else", "main")
			lost, end := e.traffic(t)
			for name, test := range map[string]struct {
				bad translate.Resources
				of  Type
			}{
				"a script with a fault":           {scripted(t, good, "function envoy_on_request(h"), Listener},
				"a route with a fault":            {twoHosts(t, good, port), Route},
				"a certificate that is not there": {certified(t, good, port, t.TempDir()+"/missing.pem"), Cluster},
			} {
				began := time.Now()
				refused := r.rejects(t, test.bad)
				t.Logf("%s: %s: back after %s", name, refused, time.Since(began))
				if refused.Type != test.of || refused.Node != "front-1" {
					t.Errorf("%s: %v", name, refused)
				}
				r.envoy(t, current(Types...))
				if state := r.State(); state.Version != versionOf(t, good) || !r.Ready() {
					t.Errorf("%s: published %+v", name, state)
				}
				e.answers(t, "/else", "main")
			}
			end()
			if n := lost.Load(); n > 0 {
				t.Errorf("%d requests lost", n)
			}
			moved, elsewhere := good, upstream(t)
			moved.Endpoints = []*endpointv3.ClusterLoadAssignment{assignment("a", elsewhere)}
			r.accepts(t, moved)
			e.answers(t, "/else", "main")
		})
	}
}

// scripted has a filter in Lua, which only Envoy compiles.
func scripted(t *testing.T, r translate.Resources, code string) translate.Resources {
	t.Helper()
	l := proto.CloneOf(r.Listeners[0])
	filter := l.GetFilterChains()[0].GetFilters()[0]
	manager := new(hcmv3.HttpConnectionManager)
	if err := filter.GetTypedConfig().UnmarshalTo(manager); err != nil {
		t.Fatal(err)
	}
	lua := &luav3.Lua{DefaultSourceCode: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: code}}}
	manager.HttpFilters = append([]*hcmv3.HttpFilter{{
		Name: "lua", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: anyOf(t, lua)},
	}}, manager.GetHttpFilters()...)
	filter.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: anyOf(t, manager)}
	r.Listeners = []*listenerv3.Listener{l}
	return r
}

// twoHosts leads to another cluster, by routes that have the host of all hosts twice.
func twoHosts(t *testing.T, r translate.Resources, port uint32) translate.Resources {
	t.Helper()
	other := only(t, "b")
	other.Listeners = r.Listeners
	other.Endpoints[0] = assignment("b", port)
	other.Routes[0].VirtualHosts = append(other.Routes[0].VirtualHosts, frontRoutes(t, "", to("b"), to("b")).VirtualHosts...)
	return other
}

// certified has one more cluster, with a certificate that Envoy has to read.
func certified(t *testing.T, r translate.Resources, port uint32, path string) translate.Resources {
	t.Helper()
	secure := edsCluster("secure")
	file := &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path}}
	secure.TransportSocket = &corev3.TransportSocket{
		Name: "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: anyOf(t, &tlsv3.UpstreamTlsContext{
			CommonTlsContext: &tlsv3.CommonTlsContext{TlsCertificates: []*tlsv3.TlsCertificate{{CertificateChain: file, PrivateKey: file}}},
		})},
	}
	r.Clusters = append([]*clusterv3.Cluster{secure}, r.Clusters...)
	r.Endpoints = append([]*endpointv3.ClusterLoadAssignment{assignment("secure", port)}, r.Endpoints...)
	return r
}
