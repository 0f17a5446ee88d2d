package main

import (
	"errors"
	"fmt"
	"io/fs"
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
	// file is axon.yaml, for the places of faults, and dir its folder.
	file *yamlfile.File
	dir  string
	// watched are the files and folders that it was read from.
	watched watched
	// sound says that axon.yaml itself has no fault: only what it leads to may have.
	sound bool
	// stored is set where Synapse's files could not be used and the resources come from the disk.
	stored *stored
}

// authzMargin is how much longer Envoy waits than a lookup may take, so that it hears the answer "no time".
const authzMargin = 100 * time.Millisecond

// load reads a configuration file and all that it leads to. The error joins every fault of every file.
func load(path string) (deployment, error) {
	d := deployment{config: defaultConfig(), watched: watched{}}
	d.watched.add(path)
	file, err := yamlfile.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return d, fmt.Errorf("%w; name another with -c FILE", err)
	case err != nil:
		return d, err
	}
	dir := filepath.Dir(path)
	d.file, d.dir = file, dir
	faults := []error{file.DecodeStrict(&d.config), d.config.validate(file)}
	d.sound = errors.Join(append(faults, d.config.Plan.Validate(file))...) == nil
	d.watched.add(topology.Files(d.config.Topology, dir)...)
	d.topology, err = topology.Load(d.config.Topology, file, dir)
	faults = append(faults, err)
	d.config.resolve(dir)
	if d.topology == nil {
		faults = append(faults, d.config.Plan.Validate(file))
	} else {
		d.plan, err = plan.Build(d.topology, d.config.Plan, file)
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return d, err
	}
	d.plan.Identity, err = d.config.identity(d.topology)
	return d, err
}

// identity is what Envoy has to know of Axon's own server.
func (c Config) identity(t *topology.Topology) (*plan.Identity, error) {
	address, err := topology.ParseAddress(c.Authz.Advertised())
	if err != nil && !c.identityAlone() {
		return nil, fmt.Errorf("authz.advertise: %w", err)
	}
	id := &plan.Identity{
		Address:    address,
		Timeout:    c.Identity.Timeout + authzMargin,
		Rematch:    len(t.Appservices) > 0,
		Enforce:    c.Identity.Enforce,
		FailClosed: c.Identity.Enforce && !c.Identity.FailOpen,
		Learn:      c.learns(),
		Headers:    c.Identity.Headers.Named(),
	}
	if tls, ok := c.Authz.TLS.ForEnvoy(c.Authz.Advertised()); ok {
		id.TLS = &plan.IdentityTLS{Certificate: tls.Certificate, Key: tls.Key, CA: tls.CA, ServerName: tls.ServerName}
	}
	return id, nil
}

// learns says whether answers to logins are learned from: under enforce only what nobody can make up who has not been
// let in.
func (c Config) learns() bool { return c.Authz.Trusted() || !c.Identity.Enforce }

// resolve makes paths absolute that Envoy may read, whose working directory need not be ours, or that begin at axon.yaml.
func (c *Config) resolve(dir string) {
	absolute := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		full, err := filepath.Abs(filepath.Join(dir, path))
		if err != nil { // there is no working directory; Envoy will say that the file is not there
			return path
		}
		return full
	}
	for _, l := range c.Plan.Listeners {
		if l.TLS != nil {
			l.TLS.Certificate, l.TLS.Key = absolute(l.TLS.Certificate), absolute(l.TLS.Key)
		}
	}
	c.Authz.TLS = c.Authz.TLS.Within(absolute)
	c.State.Dir = absolute(c.State.Dir)
}

func (d deployment) resources() translate.Resources {
	if d.stored != nil {
		return d.stored.resources
	}
	return translate.Translate(d.plan)
}

// addresses are those of the listeners.
func (d deployment) addresses() []string {
	var all []string
	for _, l := range d.plan.Listeners {
		all = append(all, l.Address.String())
	}
	return all
}
