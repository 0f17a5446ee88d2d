package identity

import (
	"context"
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"axon/xds/topology"
)

// Options are what New takes.
type Options struct {
	Config Config // a valid one
	// Dir is the folder that relative paths of Config are relative to.
	Dir string
	// ServerName is the homeserver's; users of other servers are refused whoever names them. Empty means that it is not
	// known yet (see SetTopology).
	ServerName string
	// HomeserverFiles are Synapse's files, or folders of them, in the order in which it merges them. They are read only
	// where introspection is not configured in full, for matrix_authentication_service.
	HomeserverFiles []string
	Registerer      prometheus.Registerer // may be nil
	Log             *slog.Logger          // nil for none
}

// Finder is a Cache before the resolvers of a configuration.
type Finder struct {
	*Cache
	home          *home
	registered    *registered
	whoami        *Whoami        // nil where it is not among the resolvers
	introspection *introspection // nil where it is not among the resolvers
	end           context.CancelFunc
}

// New makes the resolvers and the cache before them. What they do in the background ends with ctx or Close. The error
// joins what is wrong with the files that the configuration names.
func New(ctx context.Context, o Options) (*Finder, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	boundMemory(o.Config.Cache.SizeMiB)
	ctx, end := context.WithCancel(ctx)
	home := &home{}
	f := &Finder{home: home, registered: &registered{home: home}, end: end}
	f.home.set(o.ServerName)
	s := surroundings{ctx, o.Registerer, o.Log}
	links, err := f.links(o, s)
	faults := []error{err}
	if f.Cache, err = NewCache(o.Config, chain{links, f.home, o.Config.Native.verifies()}, o.Registerer); err != nil {
		end()
		return nil, errors.Join(append(faults, err)...)
	}
	f.Cache.home = f.home
	if o.Config.Redis != nil {
		f.shared, err = newShared(*o.Config.Redis, o.Dir, o.Config.life(), s)
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// links makes the resolvers in their order, after the appservices that Synapse's files say all of.
func (f *Finder) links(o Options, s surroundings) ([]Resolver, error) {
	var links []Resolver
	if !o.Config.Enforce {
		links = append(links, f.registered)
	}
	for _, name := range o.Config.Resolvers {
		switch name {
		case resolverNative:
			links = append(links, native{f.home})
		case resolverWhoami:
			f.whoami = NewWhoami(o.Registerer)
			links = append(links, s.guard(name, f.whoami, o.Config.Timeout))
		case resolverIntrospection:
			source := masSource{dir: o.Dir, homeserverFiles: o.HomeserverFiles}
			if o.Config.Introspection != nil {
				source.config = *o.Config.Introspection
			}
			var err error
			if f.introspection, err = newIntrospection(source, f.home, o.Registerer); err != nil {
				return links, err
			}
			links = append(links, s.guard(name, f.introspection, o.Config.Timeout))
		}
	}
	return links, nil
}

// SetTopology says whom to ask, whose users there are, and which appservices.
func (f *Finder) SetTopology(t *topology.Topology) {
	if t.ServerName != "" {
		f.home.set(t.ServerName)
	}
	f.registered.set(t.Registrations)
	if f.whoami != nil {
		f.whoami.SetTargets(Targets(t))
	}
}

// Close ends what runs in the background and gives up connections. Answers under way still arrive.
func (f *Finder) Close() error {
	f.end()
	if f.whoami != nil {
		f.whoami.Close()
	}
	if f.introspection != nil {
		f.introspection.close()
	}
	return errors.Join(f.shared.close(), f.Cache.Close())
}
