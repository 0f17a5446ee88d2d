package translate

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"

	"axon/xds/plan"
)

// Names that are Envoy's side of the contract; those of plans are made in plan/names.go.
const (
	// IdentityCluster is Axon's server for ext_authz and ext_proc.
	IdentityCluster = "axon_authz"
	// StatPrefix begins the metrics of all of Axon's listeners: http.axon.…
	StatPrefix = "axon"
)

// http2Streams bounds the streams that one client connection may open at once.
const http2Streams = 100

func identityCluster(id *plan.Identity) *clusterv3.Cluster {
	c := &clusterv3.Cluster{
		Name:                          IdentityCluster,
		ConnectTimeout:                seconds(id.Timeout),
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		CircuitBreakers:               circuitBreakers(plan.Limit{}),
		TypedExtensionProtocolOptions: protocolOptions(httpTwoOptions()),
		LoadAssignment: &endpoints{ClusterName: IdentityCluster, Endpoints: []*endpointv3.LocalityLbEndpoints{{
			LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
				Endpoint: &endpointv3.Endpoint{Address: address(id.Address)},
			}}},
		}}},
	}
	if id.TLS != nil {
		c.TransportSocket = mutualTLS(id.TLS)
	}
	if id.Address.IsName() {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
	}
	return c
}

func mutualTLS(t *plan.IdentityTLS) *corev3.TransportSocket {
	return &corev3.TransportSocket{
		Name: "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(&tlsv3.UpstreamTlsContext{
			Sni: t.ServerName,
			CommonTlsContext: &tlsv3.CommonTlsContext{
				AlpnProtocols:   []string{"h2"},
				TlsParams:       &tlsv3.TlsParameters{TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3},
				TlsCertificates: []*tlsv3.TlsCertificate{{CertificateChain: file(t.Certificate), PrivateKey: file(t.Key)}},
				ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{
					ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: file(t.CA)},
				},
			},
			AutoSniSanValidation: true,
		})},
	}
}

func httpTwoOptions() *httpv3.HttpProtocolOptions {
	return &httpv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: &corev3.Http2ProtocolOptions{}},
		}},
	}
}

func protocolOptions(options proto.Message) map[string]*anypb.Any {
	return map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack(options)}
}
