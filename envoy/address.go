package envoy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// An address in axon.yaml is "host:port" or "unix:/path". Both its network and its rest are as package net wants them.
type address struct {
	network string // "tcp" or "unix"
	host    string // without brackets; empty for a unix socket
	port    uint32
	path    string
}

func parseAddress(s string) (address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !filepath.IsAbs(path) {
			return address{}, fmt.Errorf("%q: the path of a unix socket has to be absolute, like unix:/run/axon/envoy.sock", s)
		}
		return address{network: "unix", path: path}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return address{}, fmt.Errorf("%q: neither host:port nor unix:/path", s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return address{}, fmt.Errorf("%q: port %q is not a number from 1 to 65535", s, port)
	}
	return address{network: "tcp", host: host, port: uint32(n)}, nil
}

// dial is the address in the form of net.Dial.
func (a address) dial() string {
	if a.network == "unix" {
		return a.path
	}
	return net.JoinHostPort(a.host, strconv.FormatUint(uint64(a.port), 10))
}

// ip tells whether the host is an IP address, which Envoy takes as it is, or a name, for which it needs DNS.
func (a address) ip() (netip.Addr, bool) {
	ip, err := netip.ParseAddr(a.host)
	return ip, err == nil
}

// private refuses an address that other machines could reach.
func (a address) private() error {
	if ip, ok := a.ip(); a.network == "unix" || ok && ip.IsLoopback() {
		return nil
	}
	return errors.New("has to be a loopback address like 127.0.0.1:9901, or unix:/path, since whoever reaches it can end Envoy")
}

func (a address) proto() *corev3.Address {
	if a.network == "unix" {
		return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: a.path, Mode: 0o600}}}
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       a.host,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: a.port},
	}}}
}
