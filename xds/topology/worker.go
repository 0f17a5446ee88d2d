package topology

import (
	"fmt"
	"slices"

	"axon/yamlfile"
)

// mainApp and mediaApp are the worker_app of main and of the one app that is more than another name of generic_worker.
const (
	mainApp  = "synapse.app.homeserver"
	mediaApp = "synapse.app.media_repository"
)

// workerConfig is what Axon reads of a worker file, which may be a whole configuration.
type workerConfig struct {
	App             string           `yaml:"worker_app"`
	Name            string           `yaml:"worker_name"`
	Listeners       []listenerConfig `yaml:"worker_listeners"`
	EnableMediaRepo *bool            `yaml:"enable_media_repo"`
}

// workers describes the workers by their files, then by the topology section.
func (b *builder) workers() {
	for _, f := range b.src.Workers {
		if !b.isConfig(f.Name) {
			b.workerFile(f)
		}
	}
	b.sectionWorkers()
	slices.SortFunc(b.t.Workers, func(x, y *Worker) int { return naturally(x.Name, y.Name) })
}

// isConfig says whether synapse.config lists the file: a folder or a glob of workers may well have found it.
func (b *builder) isConfig(path string) bool {
	return slices.ContainsFunc(b.src.Config, func(f *yamlfile.File) bool { return f.Name == path })
}

func (b *builder) workerFile(f WorkerFile) {
	var c workerConfig
	if err := f.Decode(&c); err != nil {
		b.add(err)
		b.incomplete = true
		return
	}
	if c.Name == "" {
		c.Name = c.App // as Synapse does (config/workers.py)
	}
	if c.Name == "" || c.App == mainApp {
		b.noWorker(f, c)
		return
	}
	at := f.At("worker_name")
	if !f.Has("worker_name") {
		at = f.At("worker_app")
		b.warn(at, "worker %q has no worker_name; give it one that says what it is for", c.Name)
	}
	if err := b.claim(c.Name, at); err != nil {
		b.add(err)
		return
	}
	w := &Worker{Name: c.Name, App: c.App, MediaRepo: b.loadsMedia(c), Source: at}
	p := process{name: c.Name, mediaRepo: w.MediaRepo, file: f.File, key: "worker_listeners", home: b.home(c.Name)}
	h := p.listen(c.Listeners)
	if i := b.sectionIndex(c.Name); i >= 0 {
		b.override(w, i, h)
	} else {
		w.Listeners, w.Why = h.listeners, h.why
		b.add(h.faults...)
	}
	b.t.Workers = append(b.t.Workers, w)
}

// noWorker deals with a file that describes none. Logging configurations live beside worker files everywhere.
func (b *builder) noWorker(f WorkerFile, c workerConfig) {
	at := f.At("worker_app")
	switch {
	case c.App == mainApp:
		b.warn(at, "left out: worker_app %s is the main process; list the file under synapse.config", c.App)
	case f.Has("version") && (f.Has("handlers") || f.Has("loggers") || f.Has("root")):
	case f.Named:
		b.add(&yamlfile.Error{Position: at, Err: fmt.Errorf("not a worker file: it has neither worker_name nor worker_app")})
	default:
		b.warn(at, "left out: not a worker file, it has neither worker_name nor worker_app")
	}
}

// loadsMedia is can_load_media_repo of Synapse's config/repository.py.
func (b *builder) loadsMedia(c workerConfig) bool {
	for _, says := range []*bool{c.EnableMediaRepo, b.hs.EnableMediaRepo} {
		if says != nil {
			return *says || c.App == mediaApp
		}
	}
	return true
}

// claim takes a name for the worker described at a place.
func (b *builder) claim(name string, at yamlfile.Position) error {
	var err error
	first, taken := b.names[name]
	switch {
	case name == MainName || name == "master":
		err = fmt.Errorf("worker %q: the name belongs to the main process; rename the worker", name)
	case placeholder.MatchString(name):
		b.incomplete = true
		err = fmt.Errorf("worker %q: the name %w", name, errPlaceholder)
	case taken:
		err = fmt.Errorf("worker %q: there is one of this name already, at %s; rename one of them", name, first)
	default:
		b.names[name] = at
		return nil
	}
	return &yamlfile.Error{Position: at, Err: err}
}

// sameAddress finds processes that claim one address.
func (b *builder) sameAddress() {
	taken := map[Address]*Worker{}
	for _, w := range append([]*Worker{b.t.Main}, b.t.Workers...) {
		for _, l := range w.Listeners {
			other := taken[l.Address]
			if other == nil {
				taken[l.Address] = w
				continue
			}
			if other == w {
				continue
			}
			b.add(&yamlfile.Error{Position: w.Source, Err: fmt.Errorf(
				"worker %q: its address %s is also that of %q, at %s; if they run on different hosts, say so with "+
					"synapse.host, for example \"{name}\", or with instance_map", w.Name, l.Address, other.Name, other.Source)})
		}
	}
}
