package server

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"

	"axon/xds/topology"
	"axon/yamlfile"
)

// AuthzConfig is the section "authz" of axon.yaml.
type AuthzConfig struct {
	Address   string    `yaml:"address"`   // host:port or unix:/path
	Advertise string    `yaml:"advertise"` // where Envoy is told to connect; by default Address
	Mode      string    `yaml:"mode"`      // of a unix socket, octal; whoever may write to it may ask
	TLS       TLSConfig `yaml:"tls"`       // of TCP; without it everybody who can reach the address may ask
}

// AdminConfig is the section "admin" of axon.yaml.
type AdminConfig struct {
	Address string `yaml:"address"` // host:port or unix:/path
}

// DefaultAuthzConfig is what holds where axon.yaml says nothing.
func DefaultAuthzConfig() AuthzConfig {
	return AuthzConfig{Address: "unix:/run/axon/authz.sock", Mode: fmt.Sprintf("%#o", socketMode)}
}

// DefaultAdminConfig is what holds where axon.yaml says nothing.
func DefaultAdminConfig() AdminConfig { return AdminConfig{Address: "127.0.0.1:9090"} }

// Validate gives every fault, each at its place in file, which may be nil.
func (c AuthzConfig) Validate(file *yamlfile.File) error {
	address := addressFault(file, "authz", c.Address)
	_, mode := c.mode()
	if mode != nil {
		mode = file.Errorf([]any{"authz", "mode"}, "authz.mode: %w", mode)
	}
	var advertise error
	if _, err := topology.ParseAddress(c.Advertised()); c.Advertise != "" && err != nil {
		advertise = file.Errorf([]any{"authz", "advertise"}, "authz.advertise: %w", err)
	}
	return errors.Join(address, advertise, mode, c.TLS.validate(file, c))
}

// Advertised is where Envoy is told to connect: the address, unless there is another for it.
func (c AuthzConfig) Advertised() string { return cmp.Or(c.Advertise, c.Address) }

// Listen listens as Listen does, with the configured mode.
func (c AuthzConfig) Listen() (net.Listener, error) {
	mode, err := c.mode()
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", c.Address, err)
	}
	return listen(c.Address, mode)
}

// Trusted says whether only those can ask whom the operator lets: through a unix socket, or with a certificate.
func (c AuthzConfig) Trusted() bool {
	network, _, _ := split(c.Address)
	return network == "unix" || c.TLS.enabled()
}

func (c AuthzConfig) mode() (fs.FileMode, error) {
	bits, err := strconv.ParseUint(c.Mode, 8, 32)
	if err != nil || bits == 0 || bits > 0o777 {
		return 0, fmt.Errorf("%q: must be permissions in octal, as in 0660", c.Mode)
	}
	return fs.FileMode(bits), nil
}

// Validate says what is wrong with the address, at its place in file, which may be nil.
func (c AdminConfig) Validate(file *yamlfile.File) error {
	return addressFault(file, "admin", c.Address)
}

func addressFault(file *yamlfile.File, section, address string) error {
	if _, _, err := split(address); err != nil {
		return file.Errorf([]any{section, "address"}, "%s", fmt.Sprintf("%s.address: %q: %v", section, address, err))
	}
	return nil
}
