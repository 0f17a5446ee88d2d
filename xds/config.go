package xds

import (
	"fmt"

	"axon/xds/topology"
)

// Config is the section "xds" of axon.yaml.
type Config struct {
	// Address is where Envoys ask for their configuration: host:port or unix:/path. Whoever reaches it reads all of it.
	Address string `yaml:"address"`
}

// DefaultConfig is what holds where axon.yaml says nothing.
func DefaultConfig() Config { return Config{Address: "unix:/run/axon/xds.sock"} }

// Validate does not look at the file system.
func (c Config) Validate() error {
	if _, err := topology.ParseAddress(c.Address); err != nil {
		return fmt.Errorf("xds.address: %w", err)
	}
	return nil
}
