package translate

import (
	"cmp"
	"slices"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"axon/xds/plan"
)

const (
	// connectTimeout is long for a neighbour and short for a client: after it the request is retried elsewhere.
	connectTimeout = 2 * time.Second
	// upstreamIdle is less than the shortest time for which Synapse keeps an idle connection (90 s), so that no request
	// is sent into a connection that is being closed.
	upstreamIdle = 60 * time.Second
	// manyRequests raises the circuit breakers where the plan has no limit: long polls are requests, and Envoy's 1024
	// breaks a homeserver.
	manyRequests = 100_000
	manyRetries  = 10_000
	// systemCAs is where Debian, Alpine and distroless images keep the certificates that everybody trusts; Envoy 1.40 does
	// not find them by itself.
	systemCAs = "/etc/ssl/certs/ca-certificates.crt"
	// maxRing is Envoy's own limit of points on a ring.
	maxRing = 8 << 20
)

func cluster(p *plan.Plan, c plan.Cluster) *clusterv3.Cluster {
	built := &clusterv3.Cluster{
		Name:                          c.Name,
		ConnectTimeout:                seconds(connectTimeout),
		LbPolicy:                      clusterv3.Cluster_LEAST_REQUEST,
		CommonLbConfig:                commonLB(),
		IgnoreHealthOnHostRemoval:     true,
		CircuitBreakers:               circuitBreakers(c.Limit),
		TypedExtensionProtocolOptions: protocolOptions(httpOneOptions(c.Limit)),
	}
	discover(built, needsDNS(c))
	if c.Hashed {
		hash(built, p, c)
	}
	if len(c.Members) > 1 || len(c.Stead) > 0 || c.Fallback != nil {
		watchHealth(built, p.Health, c.Hashed)
	}
	if c.TLS {
		built.TransportSocket = upstreamTLS(c.Members[0].Address.Host)
	}
	return built
}

// commonLB has Envoy use a worker as soon as it knows of its health: it would gather such changes for a second, in which the users of
// a worker with a new address are elsewhere.
func commonLB() *clusterv3.Cluster_CommonLbConfig {
	return &clusterv3.Cluster_CommonLbConfig{
		HealthyPanicThreshold: &typev3.Percent{Value: 0},
		UpdateMergeWindow:     durationpb.New(0),
	}
}

// needsDNS says whether Envoy has to resolve a name to reach the cluster.
func needsDNS(c plan.Cluster) bool {
	named := slices.ContainsFunc(slices.Concat(c.Members, c.Stead), func(m plan.Member) bool { return m.Address.IsName() })
	return named || c.Fallback != nil && c.Fallback.Address.IsName()
}

func discover(c *clusterv3.Cluster, dns bool) {
	if dns {
		c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STRICT_DNS}
		c.DnsLookupFamily = clusterv3.Cluster_V4_PREFERRED // one address a worker: two would be two hosts of one name
		return
	}
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
	c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads()}
}

func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}

func hash(built *clusterv3.Cluster, p *plan.Plan, c plan.Cluster) {
	if p.BoundedLoad > 0 {
		built.CommonLbConfig.ConsistentHashingLbConfig = &clusterv3.Cluster_CommonLbConfig_ConsistentHashingLbConfig{
			HashBalanceFactor: number(p.BoundedLoad),
		}
	}
	if !UsesRing(p.Balance, c) {
		built.LbPolicy = clusterv3.Cluster_MAGLEV
		return
	}
	built.LbPolicy = clusterv3.Cluster_RING_HASH
	built.LbConfig = &clusterv3.Cluster_RingHashLbConfig_{RingHashLbConfig: &clusterv3.Cluster_RingHashLbConfig{
		HashFunction:    clusterv3.Cluster_RingHashLbConfig_XX_HASH,
		MinimumRingSize: wide(PointsPerWorker),
		MaximumRingSize: wide(maxRing),
	}}
}

// circuitBreakers make requests wait rather than fail. Over HTTP/1.1 a request has a connection to itself, and one that gets
// none waits; but one beyond max_requests is answered at once. So connections are what is limited, and for each worker.
func circuitBreakers(l plan.Limit) *clusterv3.CircuitBreakers {
	breakers := &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
		MaxConnections:     number(manyRequests),
		MaxPendingRequests: number(cmp.Or(l.Queue, manyRequests)),
		MaxRequests:        number(manyRequests),
		MaxRetries:         number(cmp.Or(l.Retries, manyRetries)),
	}}}
	if l.Requests > 0 {
		breakers.PerHostThresholds = []*clusterv3.CircuitBreakers_Thresholds{{MaxConnections: number(l.Requests)}}
	}
	return breakers
}

func upstreamTLS(host string) *corev3.TransportSocket {
	return &corev3.TransportSocket{
		Name: "envoy.transport_sockets.tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(&tlsv3.UpstreamTlsContext{
			Sni: host,
			CommonTlsContext: &tlsv3.CommonTlsContext{ValidationContextType: &tlsv3.CommonTlsContext_ValidationContext{
				ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: file(systemCAs)},
			}},
			AutoSniSanValidation: true,
		})},
	}
}

// httpOneOptions are for Synapse, which speaks HTTP/1.1 only. The key is taken away behind the hash: a header that a route
// removes is gone before Envoy has hashed it.
//
// Where connections are limited, each serves one request: an idle one of one Envoy thread would take a place that another
// thread's requests wait for.
func httpOneOptions(l plan.Limit) *httpv3.HttpProtocolOptions {
	common := &corev3.HttpProtocolOptions{IdleTimeout: seconds(upstreamIdle)}
	if l.Requests > 0 {
		common.MaxRequestsPerConnection = number(1)
	}
	return &httpv3.HttpProtocolOptions{
		HttpFilters:               dropOurs(),
		CommonHttpProtocolOptions: common,
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{HttpProtocolOptions: &corev3.Http1ProtocolOptions{}},
		}},
	}
}
