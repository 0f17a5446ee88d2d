package plan

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"axon/xds/topology"
	"axon/yamlfile"
)

// Config is the part of axon.yaml that says what goes where.
type Config struct {
	// Groups overrules what is inferred: group name to globs of worker names ("main" is one).
	Groups       map[string][]string `yaml:"groups"`
	Balance      Balance             `yaml:"balance"`
	BoundedLoad  *uint32             `yaml:"bounded_load"` // percent of the mean
	Limits       Limits              `yaml:"limits"`
	Health       HealthConfig        `yaml:"health"`
	Listeners    []ListenerConfig    `yaml:"listeners"` // none where Envoy gets its routes from elsewhere
	VirtualHosts []VirtualHostConfig `yaml:"virtual_hosts"`
	WellKnown    *WellKnownConfig    `yaml:"well_known"`
}

// ListenerConfig is one listener of axon.yaml.
type ListenerConfig struct {
	Address        string     `yaml:"address"` // host:port
	TLS            *TLSConfig `yaml:"tls"`
	TrustedProxies []string   `yaml:"trusted_proxies"` // addresses or CIDR ranges
	SynapseAdmin   []string   `yaml:"synapse_admin"`   // addresses or CIDR ranges
	// RedirectHTTPS makes it a listener that sends everybody to https.
	RedirectHTTPS bool `yaml:"redirect_https"`
}

// TLSConfig names PEM files that the Envoy process can read.
type TLSConfig struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
}

// at makes an error that stands at a place of axon.yaml.
type at func(text string, path ...any) error

func faultsAt(file *yamlfile.File) at {
	return func(text string, path ...any) error { return file.Errorf(path, "%s", text) }
}

// Validate gives the faults that Build finds without a topology, for where there is none.
func (c Config) Validate(file *yamlfile.File) error {
	fault := faultsAt(file)
	_, balance := c.balance(fault)
	_, bounded := c.boundedLoad(fault)
	_, health := c.Health.health(fault)
	_, listeners := c.listeners(fault)
	return errors.Join(balance, bounded, c.Limits.validate(fault), health, listeners, c.virtualHosts(nil, fault), c.WellKnown.validate(fault))
}

func (c Config) balance(fault at) (Balance, error) {
	switch c.Balance {
	case "":
		return RingHash, nil
	case RingHash, Maglev:
		return c.Balance, nil
	}
	return "", fault(fmt.Sprintf("balance %q: must be ring_hash or maglev", c.Balance), "balance")
}

// boundedLoad is 0 where load is not bounded.
func (c Config) boundedLoad(fault at) (uint32, error) {
	const least, most = 100, 1000
	switch {
	case c.BoundedLoad == nil:
		return 0, nil
	case *c.BoundedLoad < least || *c.BoundedLoad > most:
		return 0, fault(fmt.Sprintf("bounded_load: must be from %d to %d percent", least, most), "bounded_load")
	}
	return *c.BoundedLoad, nil
}

func (c Config) listeners(fault at) ([]Listener, error) {
	var all []Listener
	var faults []error
	for i, lc := range c.Listeners {
		l, err := lc.listener(fault, i)
		faults = append(faults, err)
		if slices.ContainsFunc(all, func(o Listener) bool { return o.Address == l.Address }) {
			faults = append(faults, fault(fmt.Sprintf("listener %q: the address stands here twice", lc.Address), "listeners", i))
		}
		all = append(all, l)
	}
	return all, errors.Join(faults...)
}

func (lc ListenerConfig) listener(fault at, i int) (Listener, error) {
	var faults []error
	address, err := netip.ParseAddrPort(lc.Address)
	if err != nil || address.Port() == 0 {
		faults = append(faults, fault(fmt.Sprintf(`listener %q: must be an IP address and a port, as in "0.0.0.0:8448" or "[::]:8448"`, lc.Address), "listeners", i, "address"))
	}
	l := Listener{Address: topology.Address{Host: address.Addr().String(), Port: address.Port()}, RedirectHTTPS: lc.RedirectHTTPS}
	l.Name = ListenerName(l.Address)
	if lc.TLS != nil {
		l.TLS = &TLS{Certificate: lc.TLS.Certificate, Key: lc.TLS.Key}
		if lc.TLS.Certificate == "" || lc.TLS.Key == "" {
			faults = append(faults, fault(fmt.Sprintf("listener %q: tls wants certificate and key", lc.Address), "listeners", i, "tls"))
		}
	}
	var adminErr error
	l.TrustedProxies, err = prefixes(lc.TrustedProxies, fault, i, "trusted_proxies")
	l.SynapseAdmin, adminErr = prefixes(lc.SynapseAdmin, fault, i, "synapse_admin")
	return l, errors.Join(append(faults, err, adminErr)...)
}

// prefixes reads addresses and CIDR ranges; an address stands for itself alone.
func prefixes(texts []string, fault at, listener int, key string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	var faults []error
	for i, text := range texts {
		prefix, err := parsePrefix(text)
		if err != nil {
			faults = append(faults, fault(fmt.Sprintf("%s %q: not an address or CIDR range", key, text), "listeners", listener, key, i))
			continue
		}
		all = append(all, prefix)
	}
	return all, errors.Join(faults...)
}

func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		prefix, err := netip.ParsePrefix(text)
		return prefix.Masked(), err
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return address.Prefix(address.BitLen())
}
