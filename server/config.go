package server

import (
	"fmt"

	"axon/yamlfile"
)

// AuthzConfig is the section "authz" of axon.yaml.
type AuthzConfig struct {
	Address string `yaml:"address"` // host:port or unix:/path
}

// AdminConfig is the section "admin" of axon.yaml.
type AdminConfig struct {
	Address string `yaml:"address"` // host:port or unix:/path
}

// DefaultAuthzConfig is what holds where axon.yaml says nothing.
func DefaultAuthzConfig() AuthzConfig { return AuthzConfig{Address: "unix:/run/axon/authz.sock"} }

// DefaultAdminConfig is what holds where axon.yaml says nothing.
func DefaultAdminConfig() AdminConfig { return AdminConfig{Address: "127.0.0.1:9090"} }

// Validate says what is wrong with the address, at its place in file, which may be nil.
func (c AuthzConfig) Validate(file *yamlfile.File) error {
	return addressFault(file, "authz", c.Address)
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
