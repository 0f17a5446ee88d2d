package topology

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"axon/yamlfile"
)

// listenerConfig is an item of listeners or worker_listeners. Port is any so that a fault can say what stands there.
type listenerConfig struct {
	Type          string           `yaml:"type"`
	Port          any              `yaml:"port"`
	Path          string           `yaml:"path"`
	BindAddresses []string         `yaml:"bind_addresses"`
	BindAddress   string           `yaml:"bind_address"`
	TLS           bool             `yaml:"tls"`
	Resources     []resourceConfig `yaml:"resources"`
}

type resourceConfig struct {
	Names []string `yaml:"names"`
}

// process is what the listeners of one Synapse process have in common.
type process struct {
	name      string
	main      bool
	mediaRepo bool
	file      *yamlfile.File
	key       string   // listeners or worker_listeners
	home      location // of listeners that are not bound to one address
}

// location is a host and who says so.
type location struct {
	host string
	why  string
	file *yamlfile.File
	path []any
}

// heard is what came of a process's listeners.
type heard struct {
	listeners []Listener
	resources []Resource // of all of its listeners, those with TLS too
	why       string     // how the first listener's address was found, or why there is none
	faults    []error
}

// candidate is a listener that clients could use, were it not for TLS.
type candidate struct {
	index     int
	config    listenerConfig
	resources []Resource
}

// listen makes listeners of what the file says, unix sockets first. Replication, metrics, manhole and health are nobody's
// destination. A listener with TLS is passed over where another is without, and is a fault where none is.
func (p process) listen(list []listenerConfig) heard {
	var h heard
	var candidates []candidate
	var idle []string
	for i, l := range list {
		resources, faults := p.resources(i, l)
		if err := p.check(i, l); err != nil {
			faults = append(faults, err)
		}
		h.faults = append(h.faults, faults...)
		h.resources = union(h.resources, resources)
		if len(faults) > 0 {
			continue
		}
		if len(resources) == 0 {
			idle = append(idle, l.purpose()...)
			continue
		}
		candidates = append(candidates, candidate{i, l, resources})
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.config.rank(), b.config.rank()) })
	switch {
	case len(candidates) > 0:
		p.use(candidates, &h)
	case len(idle) > 0:
		slices.Sort(idle)
		h.why = "listens only for " + strings.Join(slices.Compact(idle), ", ")
	default:
		h.why = "has no listeners"
	}
	return h
}

// use takes the addresses of those candidates, best first, that speak plain HTTP.
func (p process) use(candidates []candidate, h *heard) {
	if first := candidates[0]; first.config.rank() == withTLS {
		h.faults = append(h.faults, p.fault([]any{first.index, "tls"}, "unsupported listener: Axon speaks plain HTTP to Synapse, "+
			"and every listener that clients could use has tls: true; add one without"))
		return
	}
	for _, c := range candidates {
		if c.config.rank() == withTLS {
			continue
		}
		address, why, err := p.address(c.index, c.config)
		if err != nil {
			h.faults = append(h.faults, err)
			continue
		}
		if len(h.listeners) == 0 {
			h.why = why
		}
		h.listeners = append(h.listeners, Listener{address, c.resources})
	}
}

// The ranks of listeners, best first: a unix socket saves the TCP stack, and has no TLS whatever the file says.
const (
	unixSocket = iota
	plainTCP
	withTLS
)

func (l listenerConfig) rank() int {
	switch {
	case l.Path != "":
		return unixSocket
	case l.TLS:
		return withTLS
	}
	return plainTCP
}

func (p process) fault(path []any, format string, args ...any) error {
	return p.file.Errorf(append([]any{p.key}, path...), "%s: "+format, append([]any{p.subject()}, args...)...)
}

func (p process) subject() string {
	if p.main {
		return MainName
	}
	return fmt.Sprintf("worker %q", p.name)
}

// check does what Synapse's parse_listener_def does (config/server.py), and a little more. Of metrics and manhole
// listeners nothing is asked.
func (p process) check(i int, l listenerConfig) error {
	var err error
	key := "port"
	switch {
	case l.Type == "metrics" || l.Type == "manhole":
	case l.Type == "":
		return p.fault([]any{i}, "unsupported listener: it has no type; http, metrics and manhole are known")
	case l.Type != "http":
		return p.fault([]any{i, "type"}, "unsupported listener: type %q; http, metrics and manhole are known", l.Type)
	case l.Path != "" && l.Port != nil:
		return p.fault([]any{i}, "unsupported listener: it has a port and a path; keep one of them")
	case l.Path == "" && l.Port == nil:
		return p.fault([]any{i}, "unsupported listener: it has neither a port nor a path")
	case l.Path != "":
		key, err = "path", checkSocket(l.Path)
	default:
		_, err = portOf(l.Port)
	}
	if err != nil {
		return p.fault([]any{i, key}, "unsupported listener: %s %w", key, err)
	}
	return nil
}

// address says where to reach a listener that check has passed.
func (p process) address(i int, l listenerConfig) (Address, string, error) {
	if l.Path != "" {
		return Address{Path: filepath.Clean(l.Path)}, "unix socket of its listener", nil
	}
	at := p.home
	if bound := bindHost(append(slices.Clone(l.BindAddresses), l.BindAddress)); bound != "" {
		at = location{bound, "bind address of its listener", p.file, []any{p.key, i, "bind_addresses"}}
	}
	if err := checkHost(at.host); err != nil {
		return Address{}, "", at.file.Errorf(at.path, "%s: %w", p.subject(), err)
	}
	port, err := portOf(l.Port)
	return Address{Host: resolved(at.host), Port: port}, at.why, err
}

// purpose names what a listener is for that no client needs.
func (l listenerConfig) purpose() []string {
	if l.Type != "http" {
		return []string{l.Type}
	}
	var names []string
	for _, r := range l.Resources {
		names = append(names, r.Names...)
	}
	return names
}
