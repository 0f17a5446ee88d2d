package server

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"axon/envoy"
	adminv1 "axon/proto/axon/admin/v1"
	"axon/server/identity"
	"axon/xds"
	"axon/xds/plan"
	"axon/xds/topology"
)

// drainList is what keeps the drains: in a test, nothing but itself.
type drainList struct {
	since   map[string]time.Time
	notKept error
	err     error
}

func (d *drainList) Since() map[string]time.Time { return maps.Clone(d.since) }

func (d *drainList) Set(worker string, drained bool) (notKept, err error) {
	if d.err != nil {
		return nil, d.err
	}
	if delete(d.since, worker); drained {
		d.since[worker] = time.Now()
	}
	return d.notKept, nil
}

// controlled has two sync workers and a writer of typing; nothing is asked of an Envoy but what envoys say.
func controlled(t *testing.T) (*Control, *drainList) {
	t.Helper()
	worker := func(name string, port int) *topology.Worker {
		return &topology.Worker{Name: name, Listeners: []topology.Listener{{
			Address: topology.Address{Host: "127.0.0.1", Port: uint16(port)}, Resources: []topology.Resource{topology.Client, topology.Federation},
		}}}
	}
	topo := &topology.Topology{
		ServerName: "example.org", Main: worker("main", 9000),
		Workers:       []*topology.Worker{worker("sync-1", 9001), worker("sync-2", 9002), worker("typing-1", 9003)},
		StreamWriters: map[topology.Stream][]string{topology.Typing: {"typing-1"}},
	}
	p, err := plan.Build(topo, plan.Config{Listeners: []plan.ListenerConfig{{Address: "127.0.0.1:8008"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	drains := &drainList{since: map[string]time.Time{}}
	return &Control{
		Serving:    func() (*topology.Topology, *plan.Plan) { return topo, p.Drain(slices.Sorted(maps.Keys(drains.since))) },
		XDS:        func() xds.State { return xds.State{} },
		Cache:      func() identity.Stats { return identity.Stats{} },
		LastReload: func() Reload { return Reload{} },
		Clusters:   func(context.Context) ([]envoy.Cluster, error) { return nil, errors.New("no Envoy is connected") },
		Drains:     drains,
	}, drains
}

func TestWhoCanBeDrained(t *testing.T) {
	for name, test := range map[string]struct {
		already string
		request *adminv1.DrainRequest
		code    codes.Code
		says    string
	}{
		"a worker":                              {"", &adminv1.DrainRequest{Worker: "sync-1"}, codes.OK, ""},
		"one that is drained already":           {"sync-1", &adminv1.DrainRequest{Worker: "sync-1"}, codes.OK, ""},
		"one that has left, and is drained":     {"gone-1", &adminv1.DrainRequest{Worker: "gone-1"}, codes.OK, ""},
		"the last of a group that main serves":  {"sync-1", &adminv1.DrainRequest{Worker: "sync-2"}, codes.OK, ""},
		"not one that nobody knows":             {"", &adminv1.DrainRequest{Worker: "sync-3"}, codes.NotFound, `worker "sync-3": unknown; there are sync-1, sync-2, typing-1`},
		"not main":                              {"", &adminv1.DrainRequest{Worker: "main"}, codes.FailedPrecondition, "main can't be drained"},
		"not main by force":                     {"", &adminv1.DrainRequest{Worker: "main", Force: true}, codes.FailedPrecondition, "main can't be drained"},
		"not a writer whom nobody can stand in": {"", &adminv1.DrainRequest{Worker: "typing-1"}, codes.FailedPrecondition, "left to serve typing, "},
		"but by force":                          {"", &adminv1.DrainRequest{Worker: "typing-1", Force: true}, codes.OK, ""},
		"others, where that one is drained":     {"typing-1", &adminv1.DrainRequest{Worker: "sync-1"}, codes.OK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, drains := controlled(t)
			if test.already != "" {
				drains.since[test.already] = time.Now().Add(-time.Hour)
			}
			want := drains.Since()
			r, err := c.Drain(t.Context(), test.request)
			if got := status.Convert(err); got.Code() != test.code || !strings.Contains(got.Message(), test.says) {
				t.Fatalf("%v", err)
			}
			if _, drained := drains.since[test.request.Worker]; drained != (err == nil) {
				t.Errorf("drained: %t", drained)
			}
			if was, ok := want[test.request.Worker]; ok && !r.GetDrainedAt().AsTime().Equal(was) {
				t.Errorf("drained at %s, not at %s", r.GetDrainedAt().AsTime(), was)
			}
		})
	}
}

func TestUndrain(t *testing.T) {
	c, drains := controlled(t)
	drains.since["sync-1"], drains.since["gone-1"] = time.Now(), time.Now()
	drains.notKept = errors.New("no space left")
	for _, step := range []struct {
		worker string
		want   *adminv1.UndrainResponse
		code   codes.Code
	}{
		{"sync-1", &adminv1.UndrainResponse{WasDrained: true, Applied: &adminv1.Applied{Acknowledged: true, NotKept: "no space left"}}, codes.OK},
		{"sync-1", &adminv1.UndrainResponse{Applied: &adminv1.Applied{Acknowledged: true}}, codes.OK},
		{"gone-1", &adminv1.UndrainResponse{WasDrained: true, Applied: &adminv1.Applied{Acknowledged: true, NotKept: "no space left"}}, codes.OK},
		{"gone-1", nil, codes.NotFound},
	} {
		got, err := c.Undrain(t.Context(), &adminv1.UndrainRequest{Worker: step.worker})
		if diff := cmp.Diff(step.want, got, protocmp.Transform()); diff != "" || status.Code(err) != step.code {
			t.Errorf("%s: %v (-want +got)\n%s", step.worker, err, diff)
		}
	}
}

func TestADrainThatIsNotPublishedIsNone(t *testing.T) {
	c, drains := controlled(t)
	drains.err = errors.New("a fault")
	if _, err := c.Drain(t.Context(), &adminv1.DrainRequest{Worker: "sync-1"}); status.Code(err) != codes.Internal {
		t.Errorf("%v", err)
	}
}

func TestADrainWaitsForEnvoysButNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := controlled(t)
		began := time.Now()
		c.XDS = func() xds.State {
			current := time.Since(began) > 3*time.Second
			return xds.State{Envoys: []xds.Envoy{
				{Types: map[xds.Type]xds.TypeState{xds.Endpoint: {Current: true}}}, {Types: map[xds.Type]xds.TypeState{xds.Endpoint: {Current: current}}},
			}}
		}
		if got := c.applied(t.Context(), nil); got.Envoys != 2 || !got.Acknowledged || time.Since(began) > 4*time.Second {
			t.Errorf("after %s: %v", time.Since(began), got)
		}
		began = time.Now().Add(time.Hour)
		if got := c.applied(t.Context(), nil); got.Acknowledged {
			t.Errorf("%v", got)
		}
	})
}

func TestStatusOfWorkers(t *testing.T) {
	c, drains := controlled(t)
	drains.since["sync-2"], drains.since["gone-1"], drains.since["typing-1"] = time.Now(), time.Now(), time.Now()
	s, err := c.Status(t.Context(), nil)
	if err != nil || s.TrafficUnknown != "no Envoy is connected" {
		t.Fatalf("%v, %v", s, err)
	}
	var got []string
	for _, w := range s.Workers {
		text := w.Name
		if w.DrainedAt != nil {
			text += " drained"
		}
		if w.Missing {
			text += " missing"
		}
		if w.Traffic != nil {
			t.Errorf("%s has traffic that nobody knows: %v", w.Name, w.Traffic)
		}
		got = append(got, text)
	}
	if diff := cmp.Diff([]string{"main", "sync-1", "sync-2 drained", "typing-1 drained", "gone-1 drained missing"}, got); diff != "" {
		t.Error(diff)
	}
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "all processes that may serve typing are drained") {
		t.Errorf("%q", s.Warnings)
	}
}
