package envoy

import (
	"errors"
	"fmt"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	downstreamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// XDSCluster is the one static cluster of the bootstrap: Axon's control plane.
const XDSCluster = "axon_xds"

const httpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// BootstrapOptions is what an Envoy has to know before it can ask Axon for the rest.
type BootstrapOptions struct {
	NodeID  string // tells Envoys apart in Axon's status; required by Envoy
	Cluster string // node.cluster; required by Envoy
	Admin   string // loopback host:port or unix:/path; empty: no admin interface
	XDS     string // Axon's control plane, host:port or unix:/path
	// MaxConnections is how many connections of clients may be open; 0 is as many as come.
	MaxConnections int
}

// Bootstrap makes the bootstrap of an Envoy that gets its listeners and clusters, and by them routes and endpoints, over one delta
// ADS stream from Axon.
func Bootstrap(o BootstrapOptions) (*bootstrapv3.Bootstrap, error) {
	cluster, xdsErr := xdsCluster(o.XDS)
	admin, adminErr := adminInterface(o.Admin)
	overload, overloadErr := overloadManager(o.MaxConnections)
	var idErr, clusterErr error
	if o.NodeID == "" {
		idErr = errors.New("bootstrap: no node id")
	}
	if o.Cluster == "" {
		clusterErr = errors.New("bootstrap: no node cluster")
	}
	if err := errors.Join(idErr, clusterErr, adminErr, xdsErr, overloadErr); err != nil {
		return nil, err
	}
	return &bootstrapv3.Bootstrap{
		Node:             &corev3.Node{Id: o.NodeID, Cluster: o.Cluster},
		Admin:            admin,
		StaticResources:  &bootstrapv3.Bootstrap_StaticResources{Clusters: []*clusterv3.Cluster{cluster}},
		DynamicResources: dynamicResources(),
		OverloadManager:  overload,
	}, nil
}

// overloadManager keeps file descriptors free for connections to workers: without them Envoy takes a worker that it can't connect to
// for dead. The memory that Envoy may use is left to the operator.
func overloadManager(connections int) (*overloadv3.OverloadManager, error) {
	if connections == 0 {
		return nil, nil
	}
	limit, err := anypb.New(&downstreamv3.DownstreamConnectionsConfig{MaxActiveDownstreamConnections: int64(connections)})
	if err != nil {
		return nil, fmt.Errorf("bootstrap: max connections: %w", err)
	}
	return &overloadv3.OverloadManager{ResourceMonitors: []*overloadv3.ResourceMonitor{{
		Name:       "envoy.resource_monitors.global_downstream_max_connections",
		ConfigType: &overloadv3.ResourceMonitor_TypedConfig{TypedConfig: limit},
	}}}, nil
}

// BootstrapJSON renders a bootstrap as JSON. Not as YAML: Envoy's YAML reads a bare y or n as a boolean.
func BootstrapJSON(b *bootstrapv3.Bootstrap) ([]byte, error) {
	return protojson.MarshalOptions{UseProtoNames: true, Multiline: true}.Marshal(b)
}

func dynamicResources() *bootstrapv3.Bootstrap_DynamicResources {
	ads := &corev3.ConfigSource{
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		ResourceApiVersion:    corev3.ApiVersion_V3,
	}
	return &bootstrapv3.Bootstrap_DynamicResources{
		LdsConfig: ads,
		CdsConfig: ads,
		AdsConfig: &corev3.ApiConfigSource{
			ApiType:                   corev3.ApiConfigSource_DELTA_GRPC,
			TransportApiVersion:       corev3.ApiVersion_V3,
			SetNodeOnFirstMessageOnly: true,
			GrpcServices:              []*corev3.GrpcService{xdsService()},
		},
	}
}

// xdsService bounds the pause between attempts to reconnect: Envoy's own limit of 30 s would leave it blind to changes for so
// long after a restart of Axon.
func xdsService() *corev3.GrpcService {
	return &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{
		ClusterName: XDSCluster,
		RetryPolicy: &corev3.RetryPolicy{RetryBackOff: &corev3.BackoffStrategy{
			BaseInterval: durationpb.New(250 * time.Millisecond),
			MaxInterval:  durationpb.New(5 * time.Second),
		}},
	}}}
}

func xdsCluster(xds string) (*clusterv3.Cluster, error) {
	a, err := parseAddress(xds)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: xds address %w", err)
	}
	options, err := anypb.New(http2Keepalive())
	if err != nil {
		return nil, fmt.Errorf("bootstrap: cluster %s: %w", XDSCluster, err)
	}
	return &clusterv3.Cluster{
		Name:                          XDSCluster,
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: discoveryType(a)},
		ConnectTimeout:                durationpb.New(time.Second),
		TypedExtensionProtocolOptions: map[string]*anypb.Any{httpOptions: options},
		LoadAssignment: &endpointv3.ClusterLoadAssignment{
			ClusterName: XDSCluster,
			Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
				HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: upstream(a)}},
			}}}},
		},
	}, nil
}

func discoveryType(a address) clusterv3.Cluster_DiscoveryType {
	if _, ip := a.ip(); ip || a.network == "unix" {
		return clusterv3.Cluster_STATIC
	}
	return clusterv3.Cluster_STRICT_DNS
}

// upstream is an address to connect to; the mode of a pipe has a meaning only where one listens.
func upstream(a address) *corev3.Address {
	p := a.proto()
	if pipe := p.GetPipe(); pipe != nil {
		pipe.Mode = 0
	}
	return p
}

// http2Keepalive finds out within 13 s that a control plane on another machine is gone without a word.
func http2Keepalive() *httpv3.HttpProtocolOptions {
	http2 := &corev3.Http2ProtocolOptions{ConnectionKeepalive: &corev3.KeepaliveSettings{
		Interval: durationpb.New(10 * time.Second),
		Timeout:  durationpb.New(3 * time.Second),
	}}
	return &httpv3.HttpProtocolOptions{UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
		ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: http2},
		},
	}}
}

func adminInterface(admin string) (*bootstrapv3.Admin, error) {
	if admin == "" {
		return nil, nil
	}
	a, err := parseAddress(admin)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: admin address %w", err)
	}
	if err := a.private(); err != nil {
		return nil, fmt.Errorf("bootstrap: admin address %q %w", admin, err)
	}
	return &bootstrapv3.Admin{Address: a.proto()}, nil
}
