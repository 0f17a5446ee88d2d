package topology

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"axon/yamlfile"
)

// Build makes the topology of the files in src and of the topology section in cfg, which wins worker by worker. It
// reads nothing else: equal files give an equal topology. The error joins all faults, each with its place and, where
// that is not obvious, what to do.
func Build(cfg Config, file *yamlfile.File, src Sources) (*Topology, error) {
	b := &builder{
		cfg: cfg, file: file, src: src, shared: src.Config, incomplete: src.Incomplete,
		names: map[string]yamlfile.Position{MainName: {}},
		t:     &Topology{StreamWriters: map[Stream][]string{}, Background: map[string]string{}},
	}
	var err error
	if b.hs, err = b.shared.decode(); err != nil {
		b.incomplete = true
		b.add(err)
	}
	b.serverName()
	b.main()
	b.workers()
	b.sameAddress()
	b.streamWriters()
	b.delegatedAuth()
	b.mediaRepo()
	b.redis()
	b.appservices()
	b.duties()
	if len(b.faults) > 0 {
		return nil, errors.Join(b.faults...)
	}
	return b.t, nil
}

type builder struct {
	cfg    Config
	file   *yamlfile.File // axon.yaml
	src    Sources
	shared merged
	hs     homeserver
	// incomplete keeps faults about what is missing from following those that say why.
	incomplete bool
	// names are all processes that something describes, be it with faults.
	names  map[string]yamlfile.Position
	t      *Topology
	faults []error
}

// add notes faults, a repeated one once.
func (b *builder) add(faults ...error) {
	for _, err := range faults {
		same := func(e error) bool { return e.Error() == err.Error() }
		if err != nil && !slices.ContainsFunc(b.faults, same) {
			b.faults = append(b.faults, err)
		}
	}
}

func (b *builder) warn(at yamlfile.Position, format string, args ...any) {
	b.t.Warnings = append(b.t.Warnings, Warning{Source: at, Text: fmt.Sprintf(format, args...)})
}

func (b *builder) serverName() {
	section := b.cfg.Topology.ServerName
	b.t.ServerName = section
	at, file := []any{"topology", "server_name"}, b.file
	if section == "" {
		b.t.ServerName = b.hs.ServerName
		at, file = []any{"server_name"}, b.shared.file("server_name")
	}
	switch {
	case placeholder.MatchString(b.t.ServerName):
		b.add(file.Errorf(at, "server_name: %q %w", b.t.ServerName, errPlaceholder))
	case b.t.ServerName == "" && !b.incomplete:
		b.add(b.file.Errorf(nil, "server_name: nobody says it; list homeserver.yaml under synapse.config or set topology.server_name"))
	}
}

// main describes the main process by the shared configuration and the topology section.
func (b *builder) main() {
	key := "listeners"
	w := &Worker{Name: MainName, MediaRepo: b.hs.EnableMediaRepo == nil || *b.hs.EnableMediaRepo, Source: b.shared.at(key)}
	b.t.Main = w
	p := process{name: MainName, main: true, mediaRepo: w.MediaRepo, file: b.shared.file(key), key: key, home: b.home(MainName)}
	h := p.listen(b.hs.Listeners)
	if b.cfg.Topology.Main != "" {
		b.sectionMain(h)
		return
	}
	w.Listeners, w.Why = h.listeners, h.why
	b.add(h.faults...)
	if w.Serves(Client) || len(h.faults) > 0 || b.incomplete {
		return
	}
	switch {
	case len(b.src.Config) == 0:
		b.add(b.file.Errorf(nil, "main: nobody says where it listens; list homeserver.yaml under synapse.config or set topology.main"))
	case b.hs.BindPort != nil:
		b.add(b.shared.file("bind_port").Errorf([]any{"bind_port"}, "main: unsupported listener: bind_port has long been replaced by listeners; "+
			"list it there, or set topology.main"))
	default:
		b.add(p.fault(nil, "no listener serves the client resource; add one to listeners, or set topology.main"))
	}
}

// home says where a process lives whose listener's bind address does not: instance_map knows it better than synapse.host.
func (b *builder) home(name string) location {
	mapped, configured := b.hs.InstanceMap[name].Host, b.cfg.Synapse.Host
	at := location{mapped, "host from instance_map", b.shared.file("instance_map"), []any{"instance_map", name, "host"}}
	switch {
	case !isWildcard(mapped) && configured != "":
		at.why += ", which is more specific than synapse.host"
	case !isWildcard(mapped):
	case configured != "":
		host := strings.ReplaceAll(configured, "{name}", name)
		at = location{host, "host from synapse.host", b.file, []any{"synapse", "host"}}
	default:
		at = location{host: "127.0.0.1", why: "no file says its host, so this one"}
	}
	return at
}
