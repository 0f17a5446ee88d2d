package envoy_test

import (
	"net"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	echov3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/echo/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"axon/envoy"
	"axon/envoy/envoytest"
)

func TestMoreConnectionsThanAllowedAreClosed(t *testing.T) {
	b, err := envoy.Bootstrap(envoy.BootstrapOptions{NodeID: "axon", Cluster: "axon", XDS: "127.0.0.1:1", MaxConnections: 2})
	if err != nil {
		t.Fatal(err)
	}
	at := freePort(t)
	b.DynamicResources = nil
	b.StaticResources.Listeners = []*listenerv3.Listener{echo(t, at)}
	envoytest.Start(t, b)
	open := []net.Conn{dial(t, at), dial(t, at), dial(t, at)}
	for i, c := range open {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = c.Write([]byte("x"))
		n, err := c.Read(make([]byte, 1))
		if allowed := i < 2; allowed != (n == 1 && err == nil) {
			t.Errorf("connection %d: %d bytes came back, %v", i+1, n, err)
		}
	}
}

// echo listens and sends everything back.
func echo(t *testing.T, at *net.TCPAddr) *listenerv3.Listener {
	t.Helper()
	config, err := anypb.New(&echov3.Echo{})
	if err != nil {
		t.Fatal(err)
	}
	return &listenerv3.Listener{
		Name: "echo",
		Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: at.IP.String(), PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(at.Port)},
		}}},
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name: "envoy.filters.network.echo", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: config},
		}}}},
	}
}

func freePort(t *testing.T) *net.TCPAddr {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr)
}

// dial connects as soon as somebody listens.
func dial(t *testing.T, at *net.TCPAddr) net.Conn {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", at.String())
		if err == nil {
			t.Cleanup(func() { _ = c.Close() })
			return c
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
