package xds

import (
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"axon/xds/translate"
)

// only has one cluster, which gets everything.
func only(t *testing.T, cluster string) translate.Resources {
	t.Helper()
	r := front(t)
	r.Routes = []*routev3.RouteConfiguration{frontRoutes(t, "http", direct("hello"), to(cluster))}
	r.Clusters = []*clusterv3.Cluster{edsCluster(cluster)}
	r.Endpoints = []*endpointv3.ClusterLoadAssignment{assignment(cluster, 8008)}
	return r
}

func TestSteps(t *testing.T) {
	resolved := front(t)
	resolved.Endpoints = nil
	resolved.Clusters = []*clusterv3.Cluster{{
		Name: "main", ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
	}}
	elsewhere := front(t)
	elsewhere.Endpoints = []*endpointv3.ClusterLoadAssignment{assignment("main", 8009)}
	tests := map[string]struct {
		from, to translate.Resources
		want     [][]string // clusters, assignments and versions that are the last one's, for each step
	}{
		"nothing changes": {
			from: front(t), to: front(t),
		},
		"a worker moves": {
			from: front(t), to: elsewhere,
			want: [][]string{{"cluster main", "endpoint main", "new route"}},
		},
		"a cluster comes": {
			from: front(t), to: twoClusters(t),
			want: [][]string{{"cluster main", "cluster sync", "endpoint main", "endpoint sync", "new route"}},
		},
		"a cluster takes the place of another": {
			from: only(t, "a"), to: only(t, "b"),
			want: [][]string{
				{"cluster a", "cluster b", "endpoint a", "endpoint b"},
				{"cluster a", "cluster b", "endpoint a", "endpoint b", "new route"},
				{"cluster b", "endpoint b", "new route"},
			},
		},
		"a cluster goes that nothing leads to": {
			from: twoClusters(t), to: front(t),
			want: [][]string{{"cluster main", "endpoint main", "new route"}},
		},
		"a cluster holds its endpoints itself from now on": {
			from: front(t), to: resolved,
			want: [][]string{{"cluster main", "new route"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			from, to := snapshotOf(t, test.from), snapshotOf(t, test.to)
			way, err := steps(from, to)
			if err != nil {
				t.Fatal(err)
			}
			var got [][]string
			for _, step := range way {
				var has []string
				for _, of := range []Type{Cluster, Endpoint} {
					for name := range step.snapshot.GetResources(typeURLs[of]) {
						has = append(has, string(of)+" "+name)
					}
				}
				slices.Sort(has)
				if step.snapshot.GetVersion(typeURLs[Route]) == to.GetVersion(typeURLs[Route]) {
					has = append(has, "new route")
				}
				got = append(got, has)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRoutesWaitForClustersToBeAcknowledged(t *testing.T) {
	r := run(t)
	r.linger = 0
	r.sends(t, only(t, "a"), true)
	c := r.delta(t)
	for _, request := range []*discoveryv3.DeltaDiscoveryRequest{subscribeDelta(Cluster), subscribeDelta(Route, "http")} {
		c.send(request)
		c.send(ackDelta(c.receive()))
	}
	r.envoy(t, current(Cluster, Route))

	published := make(chan error, 1)
	go func() {
		_, err := r.Publish(only(t, "b"))
		published <- err
	}()
	var order []Type
	for range 3 {
		answer := c.receive()
		order = append(order, typeOf(answer.GetTypeUrl()))
		c.send(ackDelta(answer))
	}
	if diff := cmp.Diff([]Type{Cluster, Route, Cluster}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if err := <-published; err != nil {
		t.Error(err)
	}
}

func TestRealEnvoyLosesNoRequestWhenClustersChange(t *testing.T) {
	tests := map[string]corev3.ApiConfigSource_ApiType{
		"delta":              corev3.ApiConfigSource_DELTA_GRPC,
		"state of the world": corev3.ApiConfigSource_GRPC,
	}
	for name, protocol := range tests {
		t.Run(name, func(t *testing.T) {
			e, port := startEnvoy(t, protocol), upstream(t)
			r := e.serve(t)
			r.sends(t, warming(t, "a", port), true)
			r.envoy(t, current(Types...))
			e.answers(t, "/else", "main")

			lost, end := e.traffic(t)
			for _, cluster := range []string{"b", "c", "a"} {
				r.sends(t, warming(t, cluster, port), true)
				r.envoy(t, current(Types...))
			}
			end()
			if n := lost.Load(); n > 0 {
				t.Errorf("%d requests lost", n)
			}
		})
	}
}

// A request looks for its cluster after whatever holds it up on its way there, as the question for its user may.
func TestRealEnvoyLosesNoRequestOnTheWayToAClusterThatGoes(t *testing.T) {
	e, port := startEnvoy(t, corev3.ApiConfigSource_DELTA_GRPC), upstream(t)
	held := func(cluster string) translate.Resources {
		resources := warming(t, cluster, port)
		resources.Listeners = []*listenerv3.Listener{delayedListener(t, time.Second)}
		return resources
	}
	r := e.serve(t)
	r.linger = 3 * time.Second
	r.sends(t, held("a"), true)
	r.envoy(t, current(Types...))
	e.answers(t, "/else", "main")

	answer := make(chan string)
	go func() { answer <- e.get(t, e.front+"/else") }()
	wait(t, func() bool { return e.stat(t, "http.front.downstream_rq_active") == 1 })
	r.sends(t, held("b"), true)
	r.envoy(t, current(Types...))
	if got := <-answer; got != "main" {
		t.Errorf("answer %q", got)
	}
	wait(t, func() bool { return e.stat(t, "cluster_manager.cluster_removed") == 1 })
	r.envoy(t, current(Types...))
}

// warming is a cluster that is not ready before its first health check, which upstream makes slow.
func warming(t *testing.T, cluster string, port uint32) translate.Resources {
	t.Helper()
	r := only(t, cluster)
	r.Endpoints[0] = assignment(cluster, port)
	r.Clusters[0].HealthChecks = []*corev3.HealthCheck{{
		Timeout: durationpb.New(10 * time.Second), Interval: durationpb.New(10 * time.Second),
		UnhealthyThreshold: wrapperspb.UInt32(1), HealthyThreshold: wrapperspb.UInt32(1),
		HealthChecker: &corev3.HealthCheck_HttpHealthCheck_{HttpHealthCheck: &corev3.HealthCheck_HttpHealthCheck{Path: "/health"}},
	}}
	return r
}

// traffic asks again and again until it is ended, and counts what is not answered by main.
func (e *realEnvoy) traffic(t *testing.T) (lost *atomic.Int64, end func()) {
	t.Helper()
	lost = new(atomic.Int64)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				response, err := e.http.Get(e.front + "/else")
				if err != nil {
					lost.Add(1)
					continue
				}
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if response.StatusCode != http.StatusOK {
					lost.Add(1)
				}
			}
		})
	}
	return lost, func() { close(done); wg.Wait() }
}
