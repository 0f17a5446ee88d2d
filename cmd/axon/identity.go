package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"axon/server"
	"axon/server/identity"
	"axon/server/revocation"
	"axon/xds/plan"
	"axon/xds/topology"
)

// newFinder finds users as the configuration at path says.
func newFinder(path string, d deployment, metrics prometheus.Registerer, log *slog.Logger) (*identity.Finder, error) {
	return identity.New(context.Background(), identity.Options{
		Config: d.config.Identity, Dir: filepath.Dir(path), ServerName: d.topology.ServerName, HomeserverFiles: d.homeserverFiles(),
		Registerer: metrics, Log: log,
	})
}

func (d deployment) homeserverFiles() []string {
	var files []string
	for _, file := range d.config.Topology.Synapse.Config {
		if !filepath.IsAbs(file) {
			file = filepath.Join(d.dir, file)
		}
		files = append(files, file)
	}
	return files
}

// checkFiles gives what is wrong with the files that identity and authz need from the start.
func (d deployment) checkFiles() error {
	return errors.Join(d.config.Identity.CheckFiles(d.file, d.dir, d.homeserverFiles()), d.config.Authz.TLS.CheckFiles(d.file))
}

func newAuthz(f *frontDoor) *server.Authz {
	o := server.Options{Resolver: f.identity, Policy: f.started.Identity.Policy, NeedsUser: plan.NeedsUser, Registerer: f.metrics, Log: f.log}
	if f.started.learns() {
		o.Learner = f.identity
	}
	return server.NewAuthz(o)
}

// revocations are followed in one Redis at a time.
type revocations struct {
	of    topology.Redis
	name  string
	end   context.CancelFunc // nil where none is followed
	ended sync.WaitGroup
}

// stop ends the following.
func (r *revocations) stop() {
	if r.end != nil {
		r.end()
		r.ended.Wait()
		r.end = nil
	}
}

// follow has the users of tokens forgotten that Synapse ended, as long as Synapse's Redis stays where it is. Without one,
// or out of its reach, the time to live says when.
func (f *frontDoor) follow(t *topology.Topology) {
	r := &f.revocations
	if t.Redis == nil || t.ServerName == "" {
		r.stop()
		return
	}
	if r.end != nil && r.of == *t.Redis && r.name == t.ServerName {
		return
	}
	r.stop()
	tls, err := t.Redis.TLSConfig()
	if err != nil {
		f.log.Warn("synapse's redis is not followed: logouts are noticed late", "error", err)
		return
	}
	ctx, end := context.WithCancel(context.Background())
	r.of, r.name, r.end = *t.Redis, t.ServerName, end
	r.ended.Go(func() {
		err := revocation.Follow(ctx, revocation.Options{
			Address: t.Redis.Address.String(), TLS: tls, Credentials: t.Redis.Credentials, Channel: t.ServerName,
			Forgetter: f.identity, Log: f.log, Registerer: f.metrics,
		})
		if err != nil {
			f.log.Error("synapse's redis is not followed: logouts are noticed late", "error", err)
		}
	})
}
