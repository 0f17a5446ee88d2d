package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "axon/proto/axon/admin/v1"
	"axon/server/identity"
	"axon/xds"
	"axon/xds/plan"
	"axon/xds/topology"
)

// Status answers axon status: what this process does at the moment of the call.
type Status struct {
	adminv1.UnimplementedAdminServiceServer
	Version string
	Started time.Time
	// Serving gives what is published; nil before the first time.
	Serving func() (*topology.Topology, *plan.Plan)
	XDS     func() xds.State
	Cache   func() identity.Stats
	// Reload gives the last reading of the configuration.
	Reload func() Reload
}

// Reload is one reading of the configuration.
type Reload struct {
	At time.Time
	// Err is why it was refused, nil where it was published or equal to what is.
	Err error
}

// Status implements the service; it never fails.
func (s *Status) Status(context.Context, *adminv1.StatusRequest) (*adminv1.StatusResponse, error) {
	state, cache := s.XDS(), s.Cache()
	r := &adminv1.StatusResponse{
		Version:    s.Version,
		StartedAt:  timestamppb.New(s.Started),
		Snapshot:   snapshot(state),
		Envoys:     envoys(state),
		LastReload: reload(s.Reload()),
		Cache: &adminv1.Cache{
			Entries: uint64(cache.Entries), Bytes: uint64(cache.Bytes), Hits: cache.Hits + cache.NegativeHits, Misses: cache.Misses,
		},
	}
	t, p := s.Serving()
	if t == nil {
		return r, nil
	}
	r.Workers, r.Groups = workers(t, p), groups(p)
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

func workers(t *topology.Topology, p *plan.Plan) []*adminv1.Worker {
	var all []*adminv1.Worker
	for _, w := range append([]*topology.Worker{t.Main}, t.Workers...) {
		out := &adminv1.Worker{Name: w.Name, Source: w.Source.String(), Groups: p.GroupsOf(w.Name), Resources: w.Resources()}
		if len(w.Listeners) > 0 {
			out.Address = w.Listeners[0].Address.String()
		}
		all = append(all, out)
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
