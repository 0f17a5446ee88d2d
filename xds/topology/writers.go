package topology

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"axon/yamlfile"
)

// StringOrList is a list that may be given as its only item.
type StringOrList []string

// UnmarshalYAML reads a name or a list of names.
func (s *StringOrList) UnmarshalYAML(unmarshal func(any) error) error {
	var one string
	if unmarshal(&one) == nil {
		*s = StringOrList{one}
		return nil
	}
	var list []string
	if unmarshal(&list) != nil {
		return errors.New("want a name or a list of names")
	}
	*s = list
	return nil
}

// mainInside is what Synapse itself calls its main process.
const mainInside = "master"

// writersOf is one description of stream writers and where it stands.
type writersOf struct {
	streams map[string]StringOrList
	file    *yamlfile.File
	path    []any
	section bool
}

// names gives the streams in the order of the file.
func (from writersOf) names() []string {
	return slices.SortedFunc(maps.Keys(from.streams), func(x, y string) int {
		a, b := from.file.At(append(slices.Clone(from.path), x)...), from.file.At(append(slices.Clone(from.path), y)...)
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(x, y))
	})
}

// streamWriters fills in who writes what: main, unless Synapse's files or, stronger, the topology section say otherwise.
func (b *builder) streamWriters() {
	for _, s := range Streams {
		b.t.StreamWriters[s] = []string{MainName}
	}
	b.moveStreams(writersOf{b.hs.StreamWriters, b.shared.file("stream_writers"), []any{"stream_writers"}, false})
	b.moveStreams(writersOf{b.cfg.Topology.StreamWriters, b.file, []any{"topology", "stream_writers"}, true})
	for _, s := range Streams {
		b.checkWebServing(s)
	}
}

func (b *builder) moveStreams(from writersOf) {
	for _, name := range from.names() {
		at := append(slices.Clone(from.path), name)
		s := Stream(name)
		if !slices.Contains(Streams, s) {
			b.warn(from.file.At(at...), "stream_writers: Axon does not know the stream %q and leaves its requests to main", name)
			continue
		}
		if !from.section && len(b.cfg.Topology.StreamWriters[name]) > 0 {
			continue
		}
		writers, faults := b.writers(from, at, from.streams[name])
		b.add(faults...)
		if wrong := len(writers) == 0 && !b.incomplete || len(writers) > 1 && SingleWriter[s]; wrong && len(faults) == 0 {
			b.add(from.file.Errorf(at, "stream_writers: %s needs exactly one writer, not %d", name, len(writers)))
		}
		b.t.StreamWriters[s] = writers
	}
}

// writers gives the names of a stream's writers as Axon has them, each once.
func (b *builder) writers(from writersOf, at []any, names []string) (writers []string, faults []error) {
	for i, name := range names {
		_, known := b.names[name]
		switch {
		case name == mainInside:
			name = MainName
		case name == MainName && !from.section:
			faults = append(faults, from.file.Errorf(at, "stream_writers: Synapse calls its main process master here, not main"))
		case !known && !b.incomplete:
			faults = append(faults, from.file.Errorf(append(slices.Clone(at), i),
				"stream_writers: no file describes the writer %q of %s; list its file under synapse.workers, or the worker in topology.workers",
				name, at[len(at)-1]))
		}
		if !slices.Contains(writers, name) {
			writers = append(writers, name)
		}
	}
	return writers, faults
}

// checkWebServing notes a strict stream whose writers no client can reach: Synapse itself cannot help there.
func (b *builder) checkWebServing(s Stream) {
	resource := Client
	if s == QuarantinedMediaChanges {
		resource = Media
	}
	serves := func(name string) bool { w := b.t.Worker(name); return w == nil || w.Serves(resource) }
	writers := b.t.StreamWriters[s]
	switch {
	case !Strict[s] || slices.ContainsFunc(writers, serves) || len(writers) == 0:
	case writers[0] == MainName:
		b.warn(b.t.Main.Source, "stream %s: main writes it, but does not serve %s, so that its requests fail; name a worker that does under stream_writers", s, resource)
	default:
		text := fmt.Sprintf("stream %s: its writer %q has no listener with the %s resource, so the requests that only it can answer "+
			"fail; add one to its worker_listeners", s, writers[0], resource)
		b.t.Warnings = append(b.t.Warnings, Warning{Source: b.t.Worker(writers[0]).Source, Text: text, Broken: true})
	}
}
