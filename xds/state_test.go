package xds

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	dto "github.com/prometheus/client_model/go"
)

const refusal = "route: unknown weighted cluster 'nope'"

func TestNackStandsUntilALaterAck(t *testing.T) {
	r := run(t)
	r.sends(t, front(t), true)
	c := r.delta(t)
	c.send(subscribeDelta(Route, "http"))
	good := c.receive()
	c.send(ackDelta(good))
	r.envoy(t, current(Route))

	changed := front(t)
	changed.Routes[0] = frontRoutes(t, "http", direct("good bye"), to("main"))
	r.sends(t, changed, true)
	bad := c.receive()
	c.send(nackDelta(bad, refusal))
	envoy := r.envoy(t, func(e Envoy) bool { return e.Types[Route].Nack != nil })
	want := Envoy{
		NodeID: "front-1", Cluster: "front", Build: "envoy 1.40.0", Peer: "bufconn", Delta: true,
		Types: map[Type]TypeState{Route: {
			Acked: good.GetSystemVersionInfo(),
			Nack:  &Nack{Version: bad.GetSystemVersionInfo(), Message: refusal},
		}},
	}
	if diff := cmp.Diff(want, envoy, cmpopts.IgnoreTypes(time.Time{})); diff != "" {
		t.Errorf("envoy (-want +got):\n%s", diff)
	}
	if of, nack := envoy.LastNack(); of != Route || nack.Message != refusal {
		t.Errorf("last refusal: %s %v", of, nack)
	}
	for _, text := range []string{"level=ERROR", "node=front-1", "type=route", "version=" + bad.GetSystemVersionInfo(), refusal} {
		if !strings.Contains(r.log.String(), text) {
			t.Errorf("log without %q:\n%s", text, r.log)
		}
	}

	r.sends(t, front(t), true)
	c.send(ackDelta(c.receive()))
	r.envoy(t, func(e Envoy) bool {
		of, nack := e.LastNack()
		return of == "" && nack == nil && e.Types[Route].Current
	})
}

// go-control-plane by itself sends a refused version again and again.
func TestStateOfTheWorldClientThatRefusesIsLeftInPeace(t *testing.T) {
	r := run(t)
	r.sends(t, front(t), true)
	c := r.sotw(t)
	c.send(subscribe(Route, "http"))
	bad := c.receive()
	c.send(nack(bad, "", refusal))
	r.envoy(t, func(e Envoy) bool { return e.Types[Route].Nack != nil })

	changed := front(t)
	changed.Routes[0] = frontRoutes(t, "http", direct("good bye"), to("main"))
	r.sends(t, changed, true)
	if next := c.receive(); next.GetNonce() != "2" || next.GetVersionInfo() != r.State().Versions[Route] {
		t.Errorf("next answer %v", next)
	}
}

func TestMetrics(t *testing.T) {
	r := run(t)
	if diff := cmp.Diff(map[string]float64{
		"axon_xds_acks_total":       0,
		"axon_xds_nacks_total":      0,
		"axon_xds_rollbacks_total":  0,
		"axon_xds_envoys_connected": 0,
	}, r.sums(t)); diff != "" {
		t.Errorf("before the first snapshot (-want +got):\n%s", diff)
	}

	r.sends(t, twoClusters(t), true)
	c := r.delta(t)
	subscribeAll(t, c)
	wait(t, func() bool { return r.State().Accepted != "" })
	changed := twoClusters(t)
	changed.Routes[0] = frontRoutes(t, "http", direct("good bye"), to("main"))
	r.sends(t, changed, true)
	c.send(nackDelta(c.receive(), refusal))
	c.send(ackDelta(c.receive()))
	wait(t, func() bool { return r.sums(t)["axon_xds_acks_total"] == 5 })

	state := r.State()
	if diff := cmp.Diff(map[string]float64{
		"axon_xds_acks_total":                           5,
		"axon_xds_nacks_total":                          1,
		"axon_xds_rollbacks_total":                      1,
		"axon_xds_snapshot_accepted":                    1,
		"axon_xds_envoys_connected":                     1,
		"axon_xds_snapshot_info":                        1,
		"axon_xds_snapshot_published_timestamp_seconds": float64(state.PublishedAt.UnixMilli()) / 1000,
	}, r.sums(t)); diff != "" {
		t.Errorf("after a refusal (-want +got):\n%s", diff)
	}
	if got := r.family(t, "axon_xds_snapshot_info").GetMetric()[0].GetLabel()[0]; got.GetValue() != state.Version {
		t.Errorf("version %q, want %q", got.GetValue(), state.Version)
	}
}

// sums gives each family of metrics, added up over its labels.
func (r *running) sums(t *testing.T) map[string]float64 {
	t.Helper()
	sums := map[string]float64{}
	for _, family := range r.gather(t) {
		sums[family.GetName()] = 0
		for _, metric := range family.GetMetric() {
			sums[family.GetName()] += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return sums
}

func (r *running) gather(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func (r *running) family(t *testing.T, name string) *dto.MetricFamily {
	t.Helper()
	for _, family := range r.gather(t) {
		if family.GetName() == name {
			return family
		}
	}
	t.Fatalf("no metric %s", name)
	return nil
}
