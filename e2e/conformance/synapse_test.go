package conformance

import (
	"net/http"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"

	"axon/e2e/endpoints/table"
	"axon/xds/topology"
)

// synapse is what the processes of a homeserver serve, by docs/endpoints.json.
type synapse struct {
	endpoints []matcher
	byPath    sync.Map // path: []*table.Endpoint, all whose pattern matches
}

// matcher is an endpoint that is tried where its longest literal occurs: hundreds of expressions a path are slow.
type matcher struct {
	*table.Endpoint
	regex   *regexp.Regexp
	literal string
}

func newSynapse(t *table.Table) *synapse {
	s := &synapse{}
	for i := range t.Endpoints {
		e := &t.Endpoints[i]
		tree, err := syntax.Parse(e.Regex, syntax.Perl)
		if err != nil {
			panic(err)
		}
		s.endpoints = append(s.endpoints, matcher{e, regexp.MustCompile(e.Regex), literal(tree)})
	}
	return s
}

// literal is the longest text that every match has.
func literal(tree *syntax.Regexp) (longest string) {
	if tree.Op == syntax.OpLiteral {
		return string(tree.Rune)
	}
	if tree.Op != syntax.OpConcat && tree.Op != syntax.OpCapture {
		return ""
	}
	for _, sub := range tree.Sub {
		if l := literal(sub); len(l) > len(longest) {
			longest = l
		}
	}
	return longest
}

// of are the endpoints whose patterns match a raw path.
func (s *synapse) of(path string) []*table.Endpoint {
	if known, ok := s.byPath.Load(path); ok {
		return known.([]*table.Endpoint)
	}
	var all []*table.Endpoint
	for _, m := range s.endpoints {
		if strings.Contains(path, m.literal) && m.regex.MatchString(path) {
			all = append(all, m.Endpoint)
		}
	}
	s.byPath.Store(path, all)
	return all
}

// process is one Synapse process, as docs/endpoints.json and its configuration describe it.
type process struct {
	synapse   *synapse
	name      string
	kind      table.Kind
	delegated bool
	writes    []topology.Stream
	// listeners are the resources of each of its listeners.
	listeners [][]string
}

// pages are resources of main's that its listener for clients often has, too. Axon takes for granted that it has.
var pages = []string{"consent", "static"}

func newProcess(s *synapse, t *topology.Topology, w *topology.Worker) process {
	p := process{synapse: s, name: w.Name, kind: table.Worker, delegated: t.DelegatedAuth != nil}
	switch {
	case w == t.Main && w.MediaRepo:
		p.kind = table.MainWithMedia
	case w == t.Main:
		p.kind = table.Main
	case w.MediaRepo:
		p.kind = table.WorkerWithMedia
	}
	for _, stream := range topology.Streams {
		if slices.Contains(t.StreamWriters[stream], w.Name) {
			p.writes = append(p.writes, stream)
		}
	}
	for _, l := range w.Listeners {
		var names []string
		for _, r := range l.Resources {
			names = append(names, string(r))
			if r == topology.Client && w == t.Main {
				names = append(names, pages...)
			}
		}
		p.listeners = append(p.listeners, names)
	}
	return p
}

// answer is the status that the process gives on a listener with these resources.
func (p process) answer(method, path string, resources []string) int {
	if method == http.MethodOptions {
		return http.StatusNoContent
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	status := http.StatusNotFound
	for _, e := range p.synapse.of(path) {
		served := e.Native
		if p.delegated {
			served = e.Delegated
		}
		if !served.By(p.kind, resources) {
			continue
		}
		if e.Method == method {
			return p.write(e)
		}
		status = http.StatusMethodNotAllowed
	}
	return status
}

// write is the status of a request that the process serves, as far as it may write what that writes.
func (p process) write(e *table.Endpoint) int {
	if e.Writer == table.Strict && !slices.Contains(p.writes, topology.Stream(e.Stream)) {
		return http.StatusInternalServerError
	}
	return http.StatusOK
}
