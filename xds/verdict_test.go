package xds

import (
	"errors"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"axon/xds/translate"
)

// named refuses resources of one name, or those that hold a text.
func named(of Type, name string) func(Type, types.Resource) bool {
	return func(t Type, r types.Resource) bool { return t == of && cachev3.GetResourceName(r) == name }
}

func saying(text string) func(Type, types.Resource) bool {
	return func(t Type, r types.Resource) bool {
		return t == Route && strings.Contains(r.(*routev3.RouteConfiguration).String(), text)
	}
}

func greeting(t *testing.T, text string) translate.Resources {
	r := front(t)
	r.Routes[0] = frontRoutes(t, "http", direct(text), to("main"))
	return r
}

// accepts publishes, and waits until that is accepted.
func (r *running) accepts(t *testing.T, resources translate.Resources) string {
	t.Helper()
	r.sends(t, resources, true)
	version := r.State().Version
	if err := r.Outcome(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	wait(t, func() bool { return r.State().Accepted == version })
	return version
}

// rejects publishes, and waits until that is refused.
func (r *running) rejects(t *testing.T, resources translate.Resources) *RefusedError {
	t.Helper()
	version := versionOf(t, resources)
	_, err := r.Publish(resources)
	if err == nil {
		err = r.Outcome(t.Context(), version)
	}
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Version != version {
		t.Fatalf("not refused: %v", err)
	}
	return refused
}

func versionOf(t *testing.T, r translate.Resources) string {
	t.Helper()
	return Version(snapshotOf(t, r))
}

func TestARefusalHasAllGoBack(t *testing.T) {
	tests := map[string]struct {
		good, bad translate.Resources
		refuses   func(Type, types.Resource) bool
		of        Type
	}{
		"of routes":               {front(t), greeting(t, "bad"), saying("bad"), Route},
		"of a new cluster":        {front(t), twoClusters(t), named(Cluster, "sync"), Cluster},
		"of routes to a new one":  {only(t, "a"), only(t, "b"), saying(`"b"`), Route},
		"of endpoints of another": {front(t), twoClusters(t), named(Endpoint, "sync"), Endpoint},
		"of a listener": {front(t), func() translate.Resources {
			r := front(t)
			r.Listeners[0].StatPrefix = "bad"
			return r
		}(), func(of Type, r types.Resource) bool { return of == Listener && strings.Contains(text(t, r), "bad") }, Listener},
	}
	for name, test := range tests {
		for protocol, start := range protocols {
			t.Run(name+", "+protocol, func(t *testing.T) {
				r := run(t)
				r.sends(t, test.good, true)
				meek, picky := newFake(t, "meek", nil), newFake(t, "picky", test.refuses)
				start(t, r, meek)
				start(t, r, picky)
				good := r.State().Version
				wait(t, func() bool { return r.State().Accepted == good && len(r.State().Envoys) == 2 && whole(r) })

				began := time.Now()
				got := r.rejects(t, test.bad)
				want := &RefusedError{Version: versionOf(t, test.bad), Node: "picky", Type: test.of, Message: why}
				if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(time.Time{})); diff != "" {
					t.Errorf("refusal (-want +got):\n%s", diff)
				}
				wait(t, func() bool { return whole(r) && meek.holds(t, byType(test.good)) && picky.holds(t, byType(test.good)) })
				t.Logf("all were back after %s", time.Since(began))
				state := r.State()
				if state.Version != good || state.Accepted != good || state.Refused == nil || !r.Ready() {
					t.Errorf("state %+v", state)
				}
				if got := r.sums(t)["axon_xds_rollbacks_total"]; got != 1 {
					t.Errorf("%v roll-backs", got)
				}
				if !strings.Contains(r.log.String(), "all go back to the last accepted one") {
					t.Error("the log does not say so")
				}
				r.isRemembered(t, test.bad, picky, test.of)
				r.goesOn(t, test.good, meek, picky)
			})
		}
	}
}

// whole says whether every Envoy holds all that is published.
func whole(r *running) bool {
	for _, e := range r.State().Envoys {
		if !current(Types...)(e) {
			return false
		}
	}
	return true
}

// isRemembered publishes again what was refused, which bothers nobody.
func (r *running) isRemembered(t *testing.T, bad translate.Resources, picky *fake, of Type) {
	t.Helper()
	before := picky.answers(of)
	if refused := r.rejects(t, bad); refused.Message != why {
		t.Errorf("remembered: %v", refused)
	}
	if n := r.sums(t)["axon_xds_nacks_total"]; n != 1 || picky.answers(of) != before {
		t.Errorf("%v refusals: it was sent again", n)
	}
}

// goesOn sees that every kind of later change still arrives.
func (r *running) goesOn(t *testing.T, last translate.Resources, fakes ...*fake) {
	t.Helper()
	cluster := last.Clusters[0].GetName()
	for _, next := range []translate.Resources{
		{Endpoints: []*endpointv3.ClusterLoadAssignment{assignment(cluster, 9999)}},
		{Routes: []*routev3.RouteConfiguration{frontRoutes(t, "http", direct("fine"), to(cluster))}},
		{Clusters: []*clusterv3.Cluster{edsCluster(cluster), edsCluster("late")}, Endpoints: []*endpointv3.ClusterLoadAssignment{
			assignment(cluster, 9999), assignment("late", 9998),
		}},
	} {
		last = over(last, next)
		r.accepts(t, last)
		for _, f := range fakes {
			wait(t, func() bool { return f.holds(t, byType(last)) })
		}
	}
}

func over(last, next translate.Resources) translate.Resources {
	if next.Routes != nil {
		last.Routes = next.Routes
	}
	if next.Clusters != nil {
		last.Clusters = next.Clusters
	}
	if next.Endpoints != nil {
		last.Endpoints = next.Endpoints
	}
	return last
}

func TestAnOddEnvoyHasNobodyGoBack(t *testing.T) {
	for protocol, start := range protocols {
		t.Run(protocol, func(t *testing.T) {
			r := run(t)
			r.sends(t, greeting(t, "one"), true)
			first, meek := r.State().Version, newFake(t, "meek", nil)
			start(t, r, meek)
			wait(t, func() bool { return r.State().Accepted == first })

			odd := newFake(t, "odd", func(of Type, _ types.Resource) bool { return of == Route })
			start(t, r, odd) // it refuses what was accepted,
			wait(t, func() bool { return r.sums(t)["axon_xds_nacks_total"] == 1 })
			r.accepts(t, greeting(t, "two")) // and goes on to
			wait(t, func() bool {
				return r.sums(t)["axon_xds_nacks_total"] == 2 && meek.holds(t, byType(greeting(t, "two")))
			})
			if n := r.sums(t)["axon_xds_rollbacks_total"]; n != 0 {
				t.Errorf("%v roll-backs", n)
			}
			for _, e := range r.State().Envoys {
				if of, nack := e.LastNack(); e.NodeID == "odd" && (of != Route || nack.Message != why) {
					t.Errorf("its refusal is not shown: %s %v", of, nack)
				}
			}
		})
	}
}

func TestThereIsNothingToGoBackToBeforeTheFirstIsAccepted(t *testing.T) {
	for protocol, start := range protocols {
		t.Run(protocol, func(t *testing.T) {
			r := run(t)
			r.sends(t, greeting(t, "bad"), true)
			version := r.State().Version
			start(t, r, newFake(t, "picky", saying("bad")))
			wait(t, func() bool { return r.sums(t)["axon_xds_nacks_total"] == 1 })
			if err := r.Outcome(t.Context(), version); err != nil {
				t.Error(err)
			}
			if s := r.State(); s.Version != version || s.Accepted != "" || s.Refused != nil || !r.Ready() {
				t.Errorf("state %+v", s)
			}
			r.accepts(t, greeting(t, "good"))
		})
	}
}

func TestARefusalLongAfterPublishHasAllGoBack(t *testing.T) {
	for protocol, start := range protocols {
		t.Run(protocol, func(t *testing.T) {
			r := run(t)
			if err := r.Trust(greeting(t, "good")); err != nil { // of an Axon before
				t.Fatal(err)
			}
			r.sends(t, greeting(t, "bad"), true) // while no Envoy is there
			judged := r.Judged()
			picky := newFake(t, "picky", saying("bad"))
			start(t, r, picky)
			select {
			case <-judged:
			case <-time.After(10 * time.Second):
				t.Fatal("no verdict")
			}
			wait(t, func() bool { return picky.holds(t, byType(greeting(t, "good"))) })
			if s := r.State(); s.Version != s.Accepted || s.Refused == nil || s.Refused.Node != "picky" {
				t.Errorf("state %+v", s)
			}
		})
	}
}

func TestRefusedContentIsTriedAgainAfterOther(t *testing.T) {
	r := run(t)
	r.sends(t, greeting(t, "good"), true)
	refuses := saying("bad")
	picky := newFake(t, "picky", func(of Type, m types.Resource) bool { return refuses(of, m) })
	go picky.delta(r.delta(t))
	wait(t, func() bool { return r.State().Accepted != "" })
	r.rejects(t, greeting(t, "bad"))
	r.accepts(t, greeting(t, "better"))
	picky.mu.Lock()
	refuses = saying("nothing of the kind")
	picky.mu.Unlock()
	r.accepts(t, greeting(t, "bad"))
}

func TestOutcomeWaitsForNobodyWhoIsNotThere(t *testing.T) {
	r := run(t)
	r.sends(t, front(t), true)
	if err := r.Outcome(t.Context(), r.State().Version); err != nil || r.State().Accepted != "" {
		t.Errorf("%v, accepted %q", err, r.State().Accepted)
	}
}
