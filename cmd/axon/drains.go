package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"axon/envoy"
	"axon/server"
	"axon/state"
)

// drainsFile is the name of the file in state.dir.
const drainsFile = "drained.json"

// drained are the workers that get nothing new, and since when.
type drained map[string]time.Time

// drainedWorker is one of them as the file has it, in which they are sorted by name.
type drainedWorker struct {
	Worker string    `json:"worker"`
	Since  time.Time `json:"since"`
}

// readDrained gives none where nothing is kept. The error is that of a file which can't be read.
func readDrained(c state.Config) (drained, error) {
	all := drained{}
	content, err := c.Read(drainsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	var list []drainedWorker
	if err == nil {
		err = json.Unmarshal(content, &list)
	}
	if err != nil {
		return all, fmt.Errorf("which workers are drained: %w", err)
	}
	for _, w := range list {
		all[w.Worker] = w.Since
	}
	return all, nil
}

// write gives an error also where nothing is kept.
func (d drained) write(c state.Config) error {
	if !c.Kept() {
		return server.ErrNoState
	}
	list := []drainedWorker{}
	for _, name := range d.names() {
		list = append(list, drainedWorker{name, d[name]})
	}
	content, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	return c.Write(drainsFile, append(content, '\n'))
}

func (d drained) names() []string { return slices.Sorted(maps.Keys(d)) }

// drain marks the workers that a running Axon has drained, as far as its file says so. The error leaves the deployment as it is.
func (d *deployment) drain() error {
	all, err := readDrained(d.config.State)
	d.plan = d.plan.Drain(all.names())
	return err
}

// drains are the drained workers of a running Axon.
type drains struct {
	front *frontDoor
	// now is never nil, and the map in it never changes.
	now atomic.Pointer[drained]
}

// restore reads those of the last run. A file that can't be read is no reason not to serve.
func (d *drains) restore(f *frontDoor) {
	d.front = f
	all, err := readDrained(f.started.State)
	if err != nil {
		f.log.Warn("no worker is drained, because the file of earlier drains can't be read", "error", err)
	}
	if len(all) > 0 {
		f.log.Info("workers are drained since an earlier run", "workers", all.names())
	}
	d.now.Store(&all)
}

// Since implements server.Drains.
func (d *drains) Since() map[string]time.Time { return maps.Clone(*d.now.Load()) }

// names are sorted.
func (d *drains) names() []string { return d.now.Load().names() }

// Set implements server.Drains: it publishes what is served with one worker more or less.
func (d *drains) Set(worker string, drain bool) (notKept, err error) {
	f := d.front
	f.publishing.Lock()
	defer f.publishing.Unlock()
	next := drained(d.Since())
	delete(next, worker)
	if drain {
		next[worker] = time.Now().UTC().Truncate(time.Second)
	}
	serving := *f.serving.Load()
	serving.plan = serving.plan.Drain(next.names())
	if _, err := f.offer(serving); err != nil {
		return nil, err
	}
	d.now.Store(&next)
	notKept = next.write(f.started.State)
	if !drain && errors.Is(notKept, server.ErrNoState) { // the next run finds nothing drained either
		notKept = nil
	}
	if notKept != nil {
		f.log.Warn("a change of drains will not outlive this process", "worker", worker, "error", notKept)
	}
	f.log.Info(map[bool]string{true: "worker drained", false: "worker undrained"}[drain], "worker", worker)
	return notKept, nil
}

// clusters asks the one Envoy about its hosts. Where there are several, the numbers of one would mislead.
func (f *frontDoor) clusters(ctx context.Context) ([]envoy.Cluster, error) {
	connected := f.xds.State().Envoys
	switch {
	case len(connected) == 0:
		return nil, errors.New("no Envoy is connected")
	case len(connected) > 1:
		return nil, fmt.Errorf("%d Envoys are connected, and envoy.admin is the address of one", len(connected))
	}
	admin, err := envoy.NewAdmin(f.started.Envoy.Admin)
	if err != nil {
		return nil, err
	}
	info, err := admin.ServerInfo(ctx)
	if err != nil {
		return nil, err
	}
	if id := info.GetNode().GetId(); id != connected[0].NodeID {
		return nil, fmt.Errorf("the Envoy at envoy.admin (%s) is node %q, and the connected one %q", f.started.Envoy.Admin, id, connected[0].NodeID)
	}
	return admin.Clusters(ctx)
}
