package translate

import (
	"fmt"
	"net/url"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"axon/xds/plan"
)

// ControlPlane is the cluster of the bootstrap that leads to Axon.
const ControlPlane = "axon_xds"

// downstreamTLS names a certificate that Envoy asks Axon for. The answer has file names only, and Envoy watches the files: those
// that stand in a listener itself it would read once (seen on 1.40), and a changed listener cuts polls.
func downstreamTLS(t *plan.TLS) *corev3.TransportSocket {
	if t == nil {
		return nil
	}
	return transportSocket(&tlsv3.CommonTlsContext{
		AlpnProtocols: []string{"h2", "http/1.1"},
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{{
			Name: CertificateName(t.Certificate, t.Key),
			SdsConfig: &corev3.ConfigSource{
				ResourceApiVersion:  corev3.ApiVersion_V3,
				InitialFetchTimeout: durationpb.New(0), // a listener without its certificate would reset every connection
				ConfigSourceSpecifier: &corev3.ConfigSource_ApiConfigSource{ApiConfigSource: &corev3.ApiConfigSource{
					ApiType:                   corev3.ApiConfigSource_DELTA_GRPC,
					TransportApiVersion:       corev3.ApiVersion_V3,
					SetNodeOnFirstMessageOnly: true,
					GrpcServices: []*corev3.GrpcService{{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
						EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: ControlPlane},
					}}},
				}},
			},
		}},
	})
}

func transportSocket(c *tlsv3.CommonTlsContext) *corev3.TransportSocket {
	return &corev3.TransportSocket{
		Name:       "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(&tlsv3.DownstreamTlsContext{CommonTlsContext: c})},
	}
}

func file(path string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path}}
}

// CertificateName is the name of a certificate: that of its file, a colon, and that of its key's, so that whoever is asked for it
// needs to know nothing else. A colon or percent sign in a path is written as in a URL.
func CertificateName(certificate, key string) string {
	escape := strings.NewReplacer("%", "%25", ":", "%3A").Replace
	return escape(certificate) + ":" + escape(key)
}

// CertificateFiles takes a name apart; false where it is none.
func CertificateFiles(name string) (certificate, key string, ok bool) {
	certificate, key, _ = strings.Cut(name, ":")
	certificate, err := url.PathUnescape(certificate)
	if err != nil {
		return "", "", false
	}
	key, err = url.PathUnescape(key)
	return certificate, key, err == nil && certificate != "" && key != ""
}

// inlineCertificates puts the files' names into a listener: for an Envoy without a control plane, and for one that is only to
// check that the files are good.
func inlineCertificates(l *listenerv3.Listener) error {
	for _, chain := range l.GetFilterChains() {
		if chain.GetTransportSocket() == nil {
			continue
		}
		tls := &tlsv3.DownstreamTlsContext{}
		if err := chain.GetTransportSocket().GetTypedConfig().UnmarshalTo(tls); err != nil {
			return fmt.Errorf("listener %q: %w", l.Name, err)
		}
		common := tls.GetCommonTlsContext()
		for _, secret := range common.GetTlsCertificateSdsSecretConfigs() {
			certificate, key, ok := CertificateFiles(secret.GetName())
			if !ok {
				return fmt.Errorf("listener %q: unknown certificate %q", l.Name, secret.GetName())
			}
			common.TlsCertificates = append(common.TlsCertificates, &tlsv3.TlsCertificate{CertificateChain: file(certificate), PrivateKey: file(key)})
		}
		common.TlsCertificateSdsSecretConfigs = nil
		chain.TransportSocket = transportSocket(common)
	}
	return nil
}
