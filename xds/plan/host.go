package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"axon/xds/topology"
)

// VirtualHost is a host name with routes of its own. What no virtual host names has the plan's Routes.
type VirtualHost struct {
	Name string `yaml:"name"`
	// Domains are host names in lower case, without a port; one may begin with "*.".
	Domains []string `yaml:"domains,flow"`
	Routes  []Route  `yaml:"routes"`
}

// VirtualHostConfig is one item of virtual_hosts in axon.yaml.
type VirtualHostConfig struct {
	Domains []string `yaml:"domains"`
	// Serves is delegated_auth (the Matrix Authentication Service's own pages) or well_known (/.well-known/matrix and
	// nothing else, for the domain in the users' IDs).
	Serves string `yaml:"serves"`
}

// WellKnownConfig is what Envoy answers itself under /.well-known/matrix (client-server and server-server API, "Server
// discovery"). What it does not say is asked of Synapse.
type WellKnownConfig struct {
	// Server is m.server: host or host:port.
	Server string `yaml:"server"`
	// Client is the whole client document; base URLs of m.homeserver must be there.
	Client map[string]any `yaml:"client"`
	// Support is the whole support document.
	Support map[string]any `yaml:"support"`
}

// The values of serves.
const (
	servesDelegatedAuth = string(DelegatedAuth)
	servesWellKnown     = "well_known"
)

var domain = regexp.MustCompile(`^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

func (c Config) virtualHosts(t *topology.Topology, fault at) error {
	var faults []error
	seen := map[string]bool{}
	for i, h := range c.VirtualHosts {
		if len(h.Domains) == 0 {
			faults = append(faults, fault("virtual_hosts: no domains", "virtual_hosts", i))
		}
		for k, d := range h.Domains {
			if !domain.MatchString(d) {
				faults = append(faults, fault(fmt.Sprintf("domain %q: must be a host name in lower case, without a port", d), "virtual_hosts", i, "domains", k))
			} else if seen[d] {
				faults = append(faults, fault(fmt.Sprintf("domain %q: stands here twice", d), "virtual_hosts", i, "domains", k))
			}
			seen[d] = true
		}
		faults = append(faults, h.servable(t, fault, i))
	}
	return errors.Join(faults...)
}

func (h VirtualHostConfig) servable(t *topology.Topology, fault at, i int) error {
	switch {
	case h.Serves == servesDelegatedAuth && t != nil && t.DelegatedAuth == nil:
		return fault("serves delegated_auth: no file says where the Matrix Authentication Service is; set topology.delegated_auth", "virtual_hosts", i, "serves")
	case h.Serves != servesDelegatedAuth && h.Serves != servesWellKnown:
		return fault(fmt.Sprintf("serves %q: must be delegated_auth or well_known", h.Serves), "virtual_hosts", i, "serves")
	}
	return nil
}

// validate checks what clients and servers could not do without.
func (c *WellKnownConfig) validate(fault at) error {
	if c == nil || c.Client == nil {
		return nil
	}
	homeserver, _ := c.Client["m.homeserver"].(map[string]any)
	if url, _ := homeserver["base_url"].(string); !strings.HasPrefix(url, "http") {
		return fault("well_known.client: m.homeserver.base_url must be the URL of the homeserver", "well_known", "client")
	}
	return nil
}

// rows are what Envoy answers itself. The documents are strings and maps of YAML, which JSON can always say.
func (c *WellKnownConfig) rows() []row {
	if c == nil {
		return nil
	}
	var rows []row
	add := func(name string, document map[string]any) {
		body, err := json.Marshal(document)
		if err != nil {
			body = []byte("{}")
		}
		rows = append(rows, row{name: "well_known_" + name, methods: withPreflight, status: 200, reply: string(body), paths: []string{"/.well-known/matrix/" + name}})
	}
	if c.Server != "" {
		add("server", map[string]any{"m.server": c.Server})
	}
	if c.Client != nil {
		add("client", c.Client)
	}
	if c.Support != nil {
		add("support", c.Support)
	}
	return rows
}

// hosts makes the virtual hosts of a valid configuration.
func (b *builder) hosts(c Config) ([]VirtualHost, error) {
	var all []VirtualHost
	for _, h := range c.VirtualHosts {
		rows := delegatedHostTable
		if h.Serves == servesWellKnown {
			rows = slices.Concat(c.WellKnown.rows(), wellKnownTable)
		}
		host := VirtualHost{Name: VirtualHostName(h.Domains[0]), Domains: h.Domains}
		var err error
		if host.Routes, err = b.routes(slices.Concat(rows, leftovers)); err != nil {
			return nil, err
		}
		all = append(all, host)
	}
	return all, nil
}

// RoutesFor are the routes that a host name has; ports do not count.
func (p *Plan) RoutesFor(host string) []Route {
	host, _, _ = strings.Cut(strings.ToLower(host), ":")
	var wildcard []Route
	for _, h := range p.VirtualHosts {
		for _, d := range h.Domains {
			if d == host {
				return h.Routes
			}
			if suffix, ok := strings.CutPrefix(d, "*"); ok && strings.HasSuffix(host, suffix) && wildcard == nil {
				wildcard = h.Routes
			}
		}
	}
	if wildcard != nil {
		return wildcard
	}
	return p.Routes
}
