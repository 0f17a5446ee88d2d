package topology

import "slices"

const sectionWhy = "address from the topology section"

// sectionMain gives main the address of the topology section, and the resources that its listeners have in Synapse's
// files; without files, those that a homeserver has.
func (b *builder) sectionMain(h heard) {
	w := b.t.Main
	resources := h.resources
	if !slices.Contains(resources, Client) {
		if b.hs.EnableMediaRepo == nil {
			w.MediaRepo = !b.sectionHasMedia()
		}
		resources = implied([]Resource{Client, Federation}, true, w.MediaRepo)
	}
	address, err := ParseAddress(b.cfg.Topology.Main)
	if err != nil {
		b.add(b.file.Errorf([]any{"topology", "main"}, "topology.main: %w", err))
		return
	}
	if len(b.src.Config) == 0 {
		w.Source = b.file.At("topology", "main")
	}
	w.Listeners, w.Why = []Listener{{address, resources}}, sectionWhy
}

// sectionHasMedia says whether a worker of the topology section has the media, which main then has not.
func (b *builder) sectionHasMedia() bool {
	return slices.ContainsFunc(b.cfg.Topology.Workers, func(c WorkerConfig) bool {
		return slices.Contains(c.Resources, string(Media))
	})
}

// sectionIndex finds a worker in the topology section, -1 where it is not there.
func (b *builder) sectionIndex(name string) int {
	return slices.IndexFunc(b.cfg.Topology.Workers, func(c WorkerConfig) bool { return c.Name == name })
}

// sectionWorkers adds the workers that only the topology section describes.
func (b *builder) sectionWorkers() {
	for i, c := range b.cfg.Topology.Workers {
		at := b.file.At("topology", "workers", i)
		if c.Name == "" {
			b.add(b.file.Errorf([]any{"topology", "workers", i}, "topology.workers: a worker without a name"))
			continue
		}
		first := b.sectionIndex(c.Name) == i
		if _, taken := b.names[c.Name]; taken && first && c.Name != MainName {
			continue // a file describes it, and override has seen to it
		}
		if err := b.claim(c.Name, at); err != nil {
			b.add(err)
			continue
		}
		w := &Worker{Name: c.Name, Source: at, MediaRepo: slices.Contains(c.Resources, string(Media))}
		b.override(w, i, heard{})
		b.t.Workers = append(b.t.Workers, w)
	}
}

// override gives a worker the address and the resources of the topology section, as far as they stand there.
func (b *builder) override(w *Worker, i int, h heard) {
	c := b.cfg.Topology.Workers[i]
	fault := func(key string, err error) {
		b.add(b.file.Errorf([]any{"topology", "workers", i, key}, "worker %q: %s: %w", w.Name, key, err))
	}
	resources, err := parseResources(c.Resources)
	if err != nil {
		fault("resources", err)
		return
	}
	resources = implied(resources, false, w.MediaRepo)
	if c.Address == "" {
		b.keepAddress(w, resources, i, h)
		return
	}
	address, err := ParseAddress(c.Address)
	if err != nil {
		fault("address", err)
		return
	}
	for _, list := range [][]Resource{resources, h.resources, {Client, Federation, Keys}} {
		if len(list) > 0 {
			w.Listeners, w.Why = []Listener{{address, list}}, sectionWhy
			return
		}
	}
}

// keepAddress is for a worker of the topology section whose address stands in its file.
func (b *builder) keepAddress(w *Worker, resources []Resource, i int, h heard) {
	b.add(h.faults...)
	if len(h.listeners) == 0 && len(h.faults) == 0 {
		b.add(b.file.Errorf([]any{"topology", "workers", i}, "worker %q: no address, and no file says one", w.Name))
		return
	}
	w.Listeners, w.Why = h.listeners, h.why
	if len(resources) > 0 && len(h.listeners) > 0 {
		w.Listeners = []Listener{{h.listeners[0].Address, resources}}
	}
}
