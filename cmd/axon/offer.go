package main

import (
	"context"
	"errors"
	"maps"

	"axon/server"
	"axon/xds"
)

// refusedByEnvoy is what axon_config_reloads_total calls a reading that we found good and an Envoy did not.
const refusedByEnvoy = "refused_by_envoy"

// errStored is why nothing can be changed for now.
var errStored = errors.New("the snapshot from the disk is served as it is, until Synapse's files can be read")

// offers are the deployments that Envoys can be given, by the version of their snapshot: what is published, and what to go
// back to.
type offers map[string]deployment

// offer gives a deployment to all that serve it, and waits for what Envoys make of it. An error leaves everything as it was.
// Publishing is held.
func (f *frontDoor) offer(d deployment) (changed bool, err error) {
	if d.stored != nil && f.serving.Load() != nil {
		return false, errStored
	}
	resources := d.resources()
	version, err := xds.VersionOf(resources)
	if err != nil {
		return false, err
	}
	f.tell(d)
	changed, err = f.xds.Publish(resources)
	if err == nil {
		err = f.xds.Outcome(context.Background(), version)
	}
	if err != nil {
		if was := f.serving.Load(); was != nil {
			f.tell(*was)
		}
		return false, err
	}
	f.offers[version] = d
	f.serving.Store(&d)
	f.health.SetReady(true)
	return changed, nil
}

// tell has our own servers follow a deployment.
func (f *frontDoor) tell(d deployment) {
	f.identity.SetTopology(d.topology)
	f.authz.SetAppservices(server.AppservicesOf(d.topology))
	f.follow(d.topology)
}

// heedEnvoys follows what Envoys accept and refuse until ctx ends. A refusal can come long after its offer: from an Envoy that
// was not there.
func (f *frontDoor) heedEnvoys(ctx context.Context) error {
	for {
		judged := f.xds.Judged()
		f.heed()
		select {
		case <-judged:
		case <-ctx.Done():
			f.heed()
			return nil
		}
	}
}

func (f *frontDoor) heed() {
	if accepted := f.settleFor(f.xds.State()); accepted != nil {
		f.stored.keep(*accepted)
	}
}

// settleFor has us serve what Envoys were given last, and gives the deployment that they accepted, if it is ours.
func (f *frontDoor) settleFor(state xds.State) (accepted *deployment) {
	f.publishing.Lock()
	defer f.publishing.Unlock()
	if d, ok := f.offers[state.Version]; ok && state.Refused != nil && f.offered(state.Refused.Version) {
		delete(f.offers, state.Refused.Version)
		f.tell(d)
		f.serving.Store(&d)
		f.note(false, state.Refused)
		f.log.Error("an envoy refused the configuration: the last accepted one is in force again", "error", state.Refused)
	}
	maps.DeleteFunc(f.offers, func(version string, _ deployment) bool { return version != state.Version && version != state.Accepted })
	if d, ok := f.offers[state.Accepted]; ok {
		return &d
	}
	return nil
}

func (f *frontDoor) offered(version string) bool { _, ok := f.offers[version]; return ok }
