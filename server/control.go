package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"axon/envoy"
	adminv1 "axon/proto/axon/admin/v1"
	"axon/server/identity"
	"axon/xds"
	"axon/xds/plan"
	"axon/xds/topology"
)

// Control answers axon status, drain, undrain and reload.
type Control struct {
	adminv1.UnimplementedAdminServiceServer
	Version string
	Started time.Time
	// Serving gives what is published; nil before the first time.
	Serving func() (*topology.Topology, *plan.Plan)
	XDS     func() xds.State
	Cache   func() identity.Stats
	// LastReload gives the last reading of the configuration.
	LastReload func() Reload
	// Reread reads the configuration again, and gives that reading.
	Reread func(context.Context) (Reload, error)
	Drains Drains
	// Clusters asks Envoy; the error says, for the operator, why the answer is not known.
	Clusters func(context.Context) ([]envoy.Cluster, error)

	// draining is held from the question whether a worker can be drained until it is.
	draining sync.Mutex
}

// Drains are the workers that are drained.
type Drains interface {
	// Since gives them, and since when each is.
	Since() map[string]time.Time
	// Set adds or removes one and publishes that. An error leaves everything as it was; notKept says why the change, which is in
	// force, will not outlive the process.
	Set(worker string, drained bool) (notKept, err error)
}

// Reload is one reading of the configuration.
type Reload struct {
	At     time.Time
	Result ReloadResult
	// Err is why it was refused, nil where it was published or equal to what is.
	Err error
}

// ReloadResult says what came of a reading.
type ReloadResult string

// The results, as axon_config_reloads_total has them, too.
const (
	Published ReloadResult = "published"
	Unchanged ReloadResult = "unchanged"
	Refused   ReloadResult = "refused"
)

// How long Envoys have to acknowledge a change, and how often they are looked at meanwhile. Most take milliseconds; one whose
// cluster has host names has to resolve them and to await a first health check.
const (
	ackPatience = 10 * time.Second
	ackPause    = 20 * time.Millisecond
)

// Drain implements the service.
func (c *Control) Drain(ctx context.Context, r *adminv1.DrainRequest) (*adminv1.DrainResponse, error) {
	notKept, err := c.drain(r.GetWorker(), r.GetForce())
	if err != nil {
		return nil, err
	}
	return &adminv1.DrainResponse{
		DrainedAt: timestamppb.New(c.Drains.Since()[r.GetWorker()]), Applied: c.applied(ctx, notKept),
	}, nil
}

func (c *Control) drain(worker string, force bool) (notKept, err error) {
	c.draining.Lock()
	defer c.draining.Unlock()
	if _, drained := c.Drains.Since()[worker]; drained {
		return nil, nil
	}
	if err := c.drainable(worker, force); err != nil {
		return nil, err
	}
	return c.set(worker, true)
}

// drainable says what keeps a worker from being drained.
func (c *Control) drainable(worker string, force bool) error {
	t, p := c.Serving()
	switch {
	case t == nil:
		return status.Error(codes.FailedPrecondition, "no configuration is published yet")
	case len(p.Listeners) == 0:
		return status.Error(codes.FailedPrecondition, "this axon has no listeners: who sends the workers their requests has to drain them")
	case worker == topology.MainName:
		return status.Error(codes.FailedPrecondition, "main can't be drained: no worker may serve all that it serves")
	case t.Worker(worker) == nil:
		return unknown(t, worker)
	case force:
		return nil
	}
	before := names(c.Drains.Since())
	already := p.Drain(before).Unserved()
	left := slices.DeleteFunc(p.Drain(append(before, worker)).Unserved(), func(g plan.GroupName) bool { return slices.Contains(already, g) })
	if len(left) == 0 {
		return nil
	}
	return status.Errorf(codes.FailedPrecondition,
		"%s can't be drained: no other process would be left to serve %s, and Envoy would answer 503; --force does it all the same", worker, list(left))
}

// Undrain implements the service.
func (c *Control) Undrain(ctx context.Context, r *adminv1.UndrainRequest) (*adminv1.UndrainResponse, error) {
	was, notKept, err := c.undrain(r.GetWorker())
	if err != nil {
		return nil, err
	}
	return &adminv1.UndrainResponse{WasDrained: was, Applied: c.applied(ctx, notKept)}, nil
}

func (c *Control) undrain(worker string) (was bool, notKept, err error) {
	c.draining.Lock()
	defer c.draining.Unlock()
	if _, was = c.Drains.Since()[worker]; was {
		notKept, err = c.set(worker, false)
		return was, notKept, err
	}
	if t, _ := c.Serving(); t == nil || t.Worker(worker) == nil {
		return false, nil, unknown(t, worker)
	}
	return false, nil, nil
}

func (c *Control) set(worker string, drained bool) (notKept, err error) {
	notKept, err = c.Drains.Set(worker, drained)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "what Envoy would be told can't be published, and nothing has changed: %v", err)
	}
	return notKept, nil
}

// applied waits for the Envoys.
func (c *Control) applied(ctx context.Context, notKept error) *adminv1.Applied {
	out := &adminv1.Applied{}
	if notKept != nil {
		out.NotKept = notKept.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, ackPatience)
	defer cancel()
	for {
		all := c.XDS().Envoys
		out.Envoys, out.Acknowledged = uint32(len(all)), !slices.ContainsFunc(all, behind)
		if out.Acknowledged {
			return out
		}
		select {
		case <-ctx.Done():
			return out
		case <-time.After(ackPause):
		}
	}
}

// behind says whether an Envoy has not acknowledged all that is published.
func behind(e xds.Envoy) bool {
	for _, held := range e.Types {
		if !held.Current {
			return true
		}
	}
	return false
}

// Reload implements the service.
func (c *Control) Reload(ctx context.Context, _ *adminv1.ReloadRequest) (*adminv1.ReloadResponse, error) {
	r, err := c.Reread(ctx)
	if err != nil {
		return nil, status.FromContextError(err).Err()
	}
	out := &adminv1.ReloadResponse{Result: string(r.Result), Version: c.XDS().Version}
	if r.Err != nil {
		out.Error = r.Err.Error()
	}
	return out, nil
}

// ErrNoState is why drains do not outlive the process.
var ErrNoState = errors.New("state.dir names no folder to keep it in")

func unknown(t *topology.Topology, worker string) error {
	if t == nil {
		return status.Errorf(codes.NotFound, "worker %q: no configuration is published yet", worker)
	}
	var known []string
	for _, w := range t.Workers {
		known = append(known, w.Name)
	}
	if len(known) == 0 {
		return status.Errorf(codes.NotFound, "worker %q: unknown; there is only main", worker)
	}
	return status.Errorf(codes.NotFound, "worker %q: unknown; there are %s", worker, strings.Join(known, ", "))
}

func names(since map[string]time.Time) []string {
	all := make([]string, 0, len(since))
	for name := range since {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func list(groups []plan.GroupName) string {
	return strings.Trim(fmt.Sprintf("%v", groups), "[]")
}
