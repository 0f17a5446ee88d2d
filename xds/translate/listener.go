package translate

import (
	"net/netip"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	xffv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/original_ip_detection/xff/v3"

	"axon/xds/plan"
)

const (
	// headersTimeout bounds how long a client may take to say what it wants.
	headersTimeout = 30 * time.Second
	// streamIdle bounds silence where no route has said otherwise.
	streamIdle = 5 * time.Minute
)

func listener(l plan.Listener, id *plan.Identity) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:    l.Name,
		Address: address(l.Address),
		FilterChains: []*listenerv3.FilterChain{{
			Filters: []*listenerv3.Filter{{
				Name:       "envoy.filters.network.http_connection_manager",
				ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(connectionManager(l, id))},
			}},
			TransportSocket: downstreamTLS(l.TLS),
		}},
	}
}

// connectionManager never touches a path: federation requests are signed over its exact bytes.
func connectionManager(l plan.Listener, id *plan.Identity) *hcmv3.HttpConnectionManager {
	m := &hcmv3.HttpConnectionManager{
		StatPrefix:                      StatPrefix,
		RouteSpecifier:                  &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: l.Name, ConfigSource: ads()}},
		HttpFilters:                     httpFilters(id),
		EarlyHeaderMutationExtensions:   []*corev3.TypedExtensionConfig{dropForged(id)},
		LocalReplyConfig:                localReplies(),
		NormalizePath:                   no(),
		PathWithEscapedSlashesAction:    hcmv3.HttpConnectionManager_KEEP_UNCHANGED,
		ServerHeaderTransformation:      hcmv3.HttpConnectionManager_PASS_THROUGH,
		SkipXffAppend:                   true,
		RequestHeadersTimeout:           seconds(headersTimeout),
		StreamIdleTimeout:               seconds(streamIdle),
		AlwaysSetRequestIdInResponse:    false,
		PreserveExternalRequestId:       false,
		HttpProtocolOptions:             &corev3.Http1ProtocolOptions{},
		Http2ProtocolOptions:            &corev3.Http2ProtocolOptions{MaxConcurrentStreams: number(http2Streams)},
		StreamErrorOnInvalidHttpMessage: no(),
		StripPortMode:                   nil,
		CommonHttpProtocolOptions:       &corev3.HttpProtocolOptions{},
		OriginalIpDetectionExtensions:   nil,
		UseRemoteAddress:                yes(),
	}
	denialsStay(m.LocalReplyConfig, id)
	if len(l.TrustedProxies) > 0 {
		m.UseRemoteAddress = no() // Envoy refuses to have both
		m.OriginalIpDetectionExtensions = []*corev3.TypedExtensionConfig{forwardedBy(l.TrustedProxies)}
	}
	return m
}

// forwardedBy takes the client's address from X-Forwarded-For where a trusted proxy sent it.
func forwardedBy(proxies []netip.Prefix) *corev3.TypedExtensionConfig {
	var trusted []*corev3.CidrRange
	for _, p := range proxies {
		trusted = append(trusted, cidr(p))
	}
	return &corev3.TypedExtensionConfig{
		Name: "envoy.http.original_ip_detection.xff",
		TypedConfig: pack(&xffv3.XffConfig{
			XffTrustedCidrs: &xffv3.XffTrustedCidrs{Cidrs: trusted},
			SkipXffAppend:   yes(),
		}),
	}
}
