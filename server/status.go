package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "axon/proto/axon/admin/v1"
	"axon/xds"
	"axon/xds/plan"
	"axon/xds/topology"
)

// trafficTimeout bounds the questions to Envoy: who asks for the status has no time to lose.
const trafficTimeout = 2 * time.Second

// Status implements the service; it never fails.
func (c *Control) Status(ctx context.Context, _ *adminv1.StatusRequest) (*adminv1.StatusResponse, error) {
	state, cache := c.XDS(), c.Cache()
	r := &adminv1.StatusResponse{
		Version:    c.Version,
		StartedAt:  timestamppb.New(c.Started),
		Snapshot:   snapshot(state),
		Envoys:     envoys(state),
		LastReload: reload(c.LastReload()),
		Cache: &adminv1.Cache{
			Entries: uint64(cache.Entries), Bytes: uint64(cache.Bytes), Hits: cache.Hits + cache.NegativeHits, Misses: cache.Misses,
		},
	}
	t, p := c.Serving()
	if t == nil {
		return r, nil
	}
	drained := c.Drains.Since()
	r.Workers, r.Groups = workers(t, p, drained), groups(p)
	c.observe(ctx, r, p)
	if left := p.Unserved(); len(left) > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("all processes that may serve %s are drained: Envoy answers 503", list(left)))
	}
	for _, w := range t.Warnings {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s: %s", w.Source, w.Text))
	}
	return r, nil
}

func snapshot(state xds.State) *adminv1.Snapshot {
	if state.Version == "" {
		return nil
	}
	types := map[string]string{}
	for t, version := range state.Versions {
		types[string(t)] = version
	}
	return &adminv1.Snapshot{Version: state.Version, PublishedAt: timestamppb.New(state.PublishedAt), Types: types}
}

func envoys(state xds.State) []*adminv1.Envoy {
	var all []*adminv1.Envoy
	for _, e := range state.Envoys {
		types := map[string]*adminv1.EnvoyResources{}
		for t, held := range e.Types {
			types[string(t)] = &adminv1.EnvoyResources{AcknowledgedVersion: held.Acked, Current: held.Current}
		}
		all = append(all, &adminv1.Envoy{
			NodeId: e.NodeID, NodeCluster: e.Cluster, Build: e.Build, Peer: e.Peer,
			ConnectedAt: timestamppb.New(e.Since), Types: types, LastError: refusal(e),
		})
	}
	return all
}

func refusal(e xds.Envoy) *adminv1.EnvoyError {
	t, nack := e.LastNack()
	if nack == nil {
		return nil
	}
	return &adminv1.EnvoyError{Type: string(t), Version: nack.Version, Message: nack.Message, Time: timestamppb.New(nack.At)}
}

func reload(r Reload) *adminv1.Reload {
	if r.At.IsZero() {
		return nil
	}
	out := &adminv1.Reload{Time: timestamppb.New(r.At), Ok: r.Err == nil}
	if r.Err != nil {
		out.Error = r.Err.Error()
	}
	return out
}

// observe adds what Envoy says of the workers.
func (c *Control) observe(ctx context.Context, r *adminv1.StatusResponse, p *plan.Plan) {
	ctx, cancel := context.WithTimeout(ctx, trafficTimeout)
	defer cancel()
	clusters, err := c.Clusters(ctx)
	if err != nil {
		r.TrafficUnknown = err.Error()
		return
	}
	seen := traffic(p, clusters)
	for _, w := range r.Workers {
		if !w.Missing {
			w.Traffic = seen[w.Name]
		}
	}
}

func workers(t *topology.Topology, p *plan.Plan, drained map[string]time.Time) []*adminv1.Worker {
	var all []*adminv1.Worker
	for _, w := range append([]*topology.Worker{t.Main}, t.Workers...) {
		out := &adminv1.Worker{Name: w.Name, Source: w.Source.String(), Groups: p.GroupsOf(w.Name), Resources: w.Resources()}
		if len(w.Listeners) > 0 {
			out.Address = w.Listeners[0].Address.String()
		}
		if since, ok := drained[w.Name]; ok {
			out.DrainedAt = timestamppb.New(since)
		}
		all = append(all, out)
	}
	for _, name := range names(drained) {
		if t.Worker(name) == nil {
			all = append(all, &adminv1.Worker{Name: name, DrainedAt: timestamppb.New(drained[name]), Missing: true})
		}
	}
	return all
}

func groups(p *plan.Plan) []*adminv1.Group {
	var all []*adminv1.Group
	for _, g := range p.Groups {
		all = append(all, &adminv1.Group{Name: string(g.Name), Workers: slices.Clone(g.Serving()), Fallback: g.Fallback, Reason: g.Reason})
	}
	return all
}
