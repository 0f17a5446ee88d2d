package topology

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// maxSocketPath is what sockaddr_un holds on Linux, less the final NUL.
const maxSocketPath = 107

var (
	hostName    = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$`)
	placeholder = regexp.MustCompile(`\$\{?[A-Za-z_]|\{\{|%[A-Z_]+%|^<.*>$`)
)

// errPlaceholder is for values like ${APPLICATION_NAME}, which stay in the templates of containers and playbooks.
var errPlaceholder = errors.New("is a placeholder; give Axon the file as Synapse gets it, with the value filled in")

// ParseAddress reads "host:port" or "unix:/path", an address to connect to. localhost becomes 127.0.0.1, so that Envoy
// need not resolve it.
func ParseAddress(s string) (Address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if err := checkSocket(path); err != nil {
			return Address{}, err
		}
		return Address{Path: filepath.Clean(path)}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return Address{}, fmt.Errorf("%q is neither host:port nor unix:/path", s)
	}
	if isWildcard(host) {
		return Address{}, fmt.Errorf("%q is an address to listen on; name one to connect to", s)
	}
	if err := checkHost(host); err != nil {
		return Address{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return Address{}, fmt.Errorf("%q: the port is not a number from 1 to 65535", s)
	}
	return Address{Host: resolved(host), Port: uint16(n)}, nil
}

// CheckListen says what is wrong with an address to listen on: all that can be connected to will do, and 0.0.0.0, [::] or
// no host at all.
func CheckListen(s string) error {
	if host, port, err := net.SplitHostPort(s); err == nil && isWildcard(host) && host != "*" {
		s = net.JoinHostPort("127.0.0.1", port)
	}
	_, err := ParseAddress(s)
	return err
}

// parseURL reads the host and port of an http or https URL.
func parseURL(s string) (a Address, tls bool, err error) {
	u, err := url.Parse(s)
	if placeholder.MatchString(s) {
		return Address{}, false, fmt.Errorf("%q %w", s, errPlaceholder)
	}
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return Address{}, false, errors.New("is not a URL like http://host:port/")
	}
	tls = u.Scheme == "https"
	port := u.Port()
	if port == "" {
		port = map[bool]string{false: "80", true: "443"}[tls]
	}
	a, err = ParseAddress(net.JoinHostPort(u.Hostname(), port))
	return a, tls, err
}

// portOf reads a port as YAML gives it.
func portOf(v any) (uint16, error) {
	var n float64
	switch v := v.(type) {
	case uint64:
		n = float64(v)
	case int64:
		n = float64(v)
	case string:
		if placeholder.MatchString(v) {
			return 0, fmt.Errorf("%q %w", v, errPlaceholder)
		}
		return 0, fmt.Errorf("%q is text; write it as a number, without quotes", v)
	default:
		return 0, errors.New("is not a number")
	}
	if n < 1 || n > math.MaxUint16 {
		return 0, fmt.Errorf("%v is out of range, 1 to 65535", v)
	}
	return uint16(n), nil
}

func checkSocket(path string) error {
	switch {
	case placeholder.MatchString(path):
		return fmt.Errorf("%q %w", path, errPlaceholder)
	case !filepath.IsAbs(path):
		return fmt.Errorf("%q is relative to a folder that Axon does not know; write it in full", path)
	case len(path) > maxSocketPath:
		return fmt.Errorf("%q is longer than the %d bytes that a unix socket may have", path, maxSocketPath)
	}
	return nil
}

func checkHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil || hostName.MatchString(host) {
		return nil
	}
	if placeholder.MatchString(host) {
		return fmt.Errorf("host %q %w", host, errPlaceholder)
	}
	return fmt.Errorf("host %q is neither an IP address nor a name", host)
}

// bindHost is the address to reach a listener by that is bound to these addresses: an IPv4 address before a name before
// an IPv6 address; none where they are wildcards.
func bindHost(bound []string) string {
	best, rank := "", 0
	for _, host := range bound {
		r := 2
		if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
			r = 3
		} else if err == nil {
			r = 1
		}
		if !isWildcard(host) && r > rank {
			best, rank = host, r
		}
	}
	return best
}

func isWildcard(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || host == "*" || err == nil && ip.IsUnspecified()
}

func resolved(host string) string {
	if strings.EqualFold(host, "localhost") {
		return "127.0.0.1"
	}
	return host
}

// MarshalYAML shows an address as axon.yaml spells it.
func (a Address) MarshalYAML() (any, error) { return a.String(), nil }
