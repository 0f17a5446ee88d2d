package main

import (
	"errors"
	"strings"

	"axon/envoy"
	"axon/server"
	"axon/server/identity"
	"axon/state"
	"axon/xds"
	"axon/xds/plan"
	"axon/xds/topology"
	"axon/yamlfile"
)

// Config is axon.yaml: the parts that each package owns, put together.
type Config struct {
	Topology topology.Config    `yaml:",inline"`
	Plan     plan.Config        `yaml:",inline"`
	Identity identity.Config    `yaml:"identity"`
	Authz    server.AuthzConfig `yaml:"authz"`
	XDS      xds.Config         `yaml:"xds"`
	Admin    server.AdminConfig `yaml:"admin"`
	Envoy    envoy.Config       `yaml:"envoy"`
	State    state.Config       `yaml:"state"`
}

func defaultConfig() Config {
	return Config{
		Identity: identity.DefaultConfig(),
		Authz:    server.DefaultAuthzConfig(),
		XDS:      xds.DefaultConfig(),
		Admin:    server.DefaultAdminConfig(),
		Envoy:    envoy.DefaultConfig(),
		State:    state.DefaultConfig(),
	}
}

// validate gives the faults of all parts that need nothing but themselves to be checked.
func (c Config) validate(file *yamlfile.File) error {
	return errors.Join(
		c.Identity.Validate(file),
		c.Authz.Validate(file),
		located(file, c.XDS.Validate()),
		c.Admin.Validate(file),
		located(file, c.Envoy.Validate()),
		c.toldFault(file),
	)
}

// located gives errors that begin with their key ("envoy.admin: …") the place of that key.
func located(file *yamlfile.File, err error) error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, one := range joined.Unwrap() {
			all = append(all, located(file, one))
		}
		return errors.Join(all...)
	}
	key, _, _ := strings.Cut(err.Error(), ":")
	var path []any
	for step := range strings.SplitSeq(key, ".") {
		path = append(path, step)
	}
	return file.Errorf(path, "%w", err)
}
