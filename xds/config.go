package xds

import (
	"cmp"
	"errors"
	"fmt"

	"axon/xds/topology"
)

// Config is the section "xds" of axon.yaml.
type Config struct {
	// Address is where Envoys ask for their configuration: host:port or unix:/path. Whoever reaches it reads all of it.
	Address string `yaml:"address"`
	// Advertise is where Envoys are told to ask; by default Address.
	Advertise string `yaml:"advertise"`
}

// Advertised is where Envoys are told to ask.
func (c Config) Advertised() string { return cmp.Or(c.Advertise, c.Address) }

// DefaultConfig is what holds where axon.yaml says nothing.
func DefaultConfig() Config { return Config{Address: "unix:/run/axon/xds.sock"} }

// Validate does not look at the file system.
func (c Config) Validate() error {
	var faults []error
	if err := topology.CheckListen(c.Address); err != nil {
		faults = append(faults, fmt.Errorf("xds.address: %w", err))
	}
	if _, err := topology.ParseAddress(c.Advertised()); c.Advertise != "" && err != nil {
		faults = append(faults, fmt.Errorf("xds.advertise: %w", err))
	}
	return errors.Join(faults...)
}
