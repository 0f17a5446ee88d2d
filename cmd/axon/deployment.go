package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"axon/xds/plan"
	"axon/xds/topology"
	"axon/xds/translate"
	"axon/yamlfile"
)

// deployment is everything that comes of one axon.yaml.
type deployment struct {
	config   Config
	topology *topology.Topology
	plan     *plan.Plan
	// watched are the files and folders that it was read from.
	watched []string
}

// authzMargin is how much longer Envoy waits than a lookup may take, so that it hears the answer "no time".
const authzMargin = 100 * time.Millisecond

// load reads a configuration file and all that it leads to. The error joins every fault of every file.
func load(path string) (deployment, error) {
	d := deployment{config: defaultConfig()}
	path, err := filepath.Abs(path)
	if err != nil {
		return d, err
	}
	d.watched = []string{path}
	file, err := yamlfile.Read(path)
	if err != nil {
		return d, fmt.Errorf("%w; name another with -c FILE", err)
	}
	dir := filepath.Dir(path)
	faults := []error{file.DecodeStrict(&d.config), d.config.validate(file)}
	d.watched = append(d.watched, topology.Files(d.config.Topology, dir)...)
	d.topology, err = topology.Load(d.config.Topology, file, dir)
	if faults = append(faults, err); d.topology != nil {
		d.plan, err = plan.Build(d.topology, d.config.Plan, file)
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return d, err
	}
	authz, err := topology.ParseAddress(d.config.Authz.Address)
	if err != nil {
		return d, fmt.Errorf("authz.address: %w", err)
	}
	d.plan.Identity = &plan.Identity{Address: authz, Timeout: d.config.Identity.Timeout + authzMargin}
	return d, nil
}

func (d deployment) resources() translate.Resources { return translate.Translate(d.plan) }
