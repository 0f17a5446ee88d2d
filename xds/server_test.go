package xds

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"axon/xds/translate"
)

// sends publishes and gives the error a test ends with.
func (r *running) sends(t *testing.T, resources translate.Resources, changed bool) {
	t.Helper()
	got, err := r.Publish(resources)
	if err != nil || got != changed {
		t.Fatalf("Publish: changed %v, error %v", got, err)
	}
}

// names of what a delta answer brings.
func names(r *discoveryv3.DeltaDiscoveryResponse) []string {
	var all []string
	for _, resource := range r.GetResources() {
		all = append(all, resource.GetName())
	}
	slices.Sort(all)
	return all
}

// subscribeAll asks as Envoy does, in its order, acknowledges, and gives what was answered.
func subscribeAll(t *testing.T, c *deltaClient) map[Type]*discoveryv3.DeltaDiscoveryResponse {
	t.Helper()
	answers := map[Type]*discoveryv3.DeltaDiscoveryResponse{}
	for _, request := range []*discoveryv3.DeltaDiscoveryRequest{
		subscribeDelta(Cluster), subscribeDelta(Endpoint, "main", "sync"), subscribeDelta(Listener), subscribeDelta(Route, "http"),
	} {
		c.send(request)
		answer := c.receive()
		c.send(ackDelta(answer))
		answers[typeOf(answer.GetTypeUrl())] = answer
	}
	return answers
}

func TestDeltaClientGetsWhatChanges(t *testing.T) {
	r := run(t)
	r.sends(t, twoClusters(t), true)
	c := r.delta(t)
	got := map[Type][]string{}
	for of, answer := range subscribeAll(t, c) {
		got[of] = names(answer)
		if want := r.State().Versions[of]; answer.GetSystemVersionInfo() != want {
			t.Errorf("%s: version %q, want %q", of, answer.GetSystemVersionInfo(), want)
		}
	}
	want := map[Type][]string{Cluster: {"main", "sync"}, Endpoint: {"main", "sync"}, Listener: {"http"}, Route: {"http"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("first answers (-want +got):\n%s", diff)
	}

	r.sends(t, twoClusters(t), false) // wakes nobody: the next nonce follows the last
	moved := twoClusters(t)
	moved.Endpoints[1] = assignment("sync", 8082)
	r.sends(t, moved, true)
	answer := c.receive()
	load := new(endpointv3.ClusterLoadAssignment)
	if err := answer.GetResources()[0].GetResource().UnmarshalTo(load); err != nil {
		t.Fatal(err)
	}
	if answer.GetNonce() != "5" || len(answer.GetResources()) != 1 {
		t.Errorf("nonce %q, resources %v", answer.GetNonce(), names(answer))
	}
	if diff := cmp.Diff(assignment("sync", 8082), load, protocmp.Transform()); diff != "" {
		t.Errorf("moved worker (-want +got):\n%s", diff)
	}
	c.send(ackDelta(answer))

	moved.Clusters, moved.Endpoints = moved.Clusters[:1], moved.Endpoints[:1]
	r.sends(t, moved, true)
	removed := map[Type][]string{}
	for range 2 {
		answer := c.receive()
		removed[typeOf(answer.GetTypeUrl())] = answer.GetRemovedResources()
	}
	if diff := cmp.Diff(map[Type][]string{Cluster: {"sync"}, Endpoint: {"sync"}}, removed); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
}

func TestStateOfTheWorldClientGetsWhatChanges(t *testing.T) {
	r := run(t)
	r.sends(t, twoClusters(t), true)
	c := r.sotw(t)
	for _, request := range []*discoveryv3.DiscoveryRequest{
		subscribe(Cluster), subscribe(Endpoint, "main", "sync"), subscribe(Listener), subscribe(Route, "http"),
	} {
		c.send(request)
		answer := c.receive()
		of := typeOf(answer.GetTypeUrl())
		if want := len(byType(twoClusters(t))[of]); len(answer.GetResources()) != want || answer.GetTypeUrl() != request.GetTypeUrl() {
			t.Errorf("%s: %d resources, want %d", of, len(answer.GetResources()), want)
		}
		if want := r.State().Versions[of]; answer.GetVersionInfo() != want {
			t.Errorf("%s: version %q, want %q", of, answer.GetVersionInfo(), want)
		}
		c.send(ack(answer, request.GetResourceNames()...))
	}
	envoy := r.envoy(t, current(Types...))
	if envoy.Delta || envoy.NodeID != "front-1" {
		t.Errorf("envoy %+v", envoy)
	}

	r.sends(t, twoClusters(t), false) // wakes nobody: the next nonce follows the last
	changed := twoClusters(t)
	changed.Routes[0] = frontRoutes(t, "http", direct("good bye"), to("main"))
	r.sends(t, changed, true)
	answer, routes := c.receive(), new(routev3.RouteConfiguration)
	if err := answer.GetResources()[0].UnmarshalTo(routes); err != nil {
		t.Fatal(err)
	}
	if answer.GetNonce() != "5" || !proto.Equal(routes, changed.Routes[0]) {
		t.Errorf("nonce %q: %v", answer.GetNonce(), routes)
	}
}

func TestClientThatDoesNotAggregateGetsOneOfManyNames(t *testing.T) {
	r := run(t)
	r.sends(t, twoClusters(t), true)
	service := endpointservice.NewEndpointDiscoveryServiceClient(r.conn)

	world := client(t, service.StreamEndpoints)
	world.send(&discoveryv3.DiscoveryRequest{Node: node(), ResourceNames: []string{"sync"}})
	if answer := world.receive(); len(answer.GetResources()) != 1 {
		t.Errorf("state of the world: %v", answer)
	}
	delta := client(t, service.DeltaEndpoints)
	delta.send(&discoveryv3.DeltaDiscoveryRequest{Node: node(), ResourceNamesSubscribe: []string{"main"}})
	if answer := delta.receive(); !slices.Equal(names(answer), []string{"main"}) {
		t.Errorf("delta: %v", answer)
	}
	r.envoy(t, func(e Envoy) bool { return len(e.Types) == 1 }) // both streams count as one Envoy
}

func TestNothingIsAnsweredBeforeTheFirstPublish(t *testing.T) {
	r := run(t)
	delta, world := r.delta(t), r.sotw(t)
	delta.send(subscribeDelta(Listener))
	world.send(subscribe(Listener))
	wait(t, func() bool {
		envoys := r.State().Envoys
		return len(envoys) == 2 && len(envoys[0].Types) == 1 && len(envoys[1].Types) == 1
	})
	if r.Ready() || r.State().Version != "" {
		t.Errorf("ready %v, state %+v", r.Ready(), r.State())
	}
	if changed, err := r.Publish(translate.Resources{}); changed || err == nil || r.Ready() {
		t.Errorf("nothing published: changed %v, error %v, ready %v", changed, err, r.Ready())
	}
	r.sends(t, front(t), true)
	want := r.State().Versions[Listener]
	if got := delta.receive(); got.GetNonce() != "1" || got.GetSystemVersionInfo() != want {
		t.Errorf("delta: first answer %v", got)
	}
	if got := world.receive(); got.GetNonce() != "1" || got.GetVersionInfo() != want {
		t.Errorf("state of the world: first answer %v", got)
	}
	if !r.Ready() {
		t.Error("not ready")
	}
}

func TestRefusedResourcesLeaveWhatIsPublished(t *testing.T) {
	r := run(t)
	r.sends(t, front(t), true)
	before := r.State()
	broken := front(t)
	broken.Endpoints = nil
	if changed, err := r.Publish(broken); changed || err == nil {
		t.Errorf("changed %v, error %v", changed, err)
	}
	if diff := cmp.Diff(before, r.State()); diff != "" {
		t.Errorf("state (-before +after):\n%s", diff)
	}
}

// A restart of Axon: an Envoy comes back with what it has.
func TestDeltaClientThatHoldsWhatIsPublishedGetsNothingNew(t *testing.T) {
	first := run(t)
	first.sends(t, twoClusters(t), true)
	answers := subscribeAll(t, first.delta(t))

	second := run(t)
	c := second.delta(t)
	for _, of := range Types {
		request := subscribeDelta(of)
		if of == Endpoint || of == Route {
			request.ResourceNamesSubscribe = names(answers[of])
		}
		request.InitialResourceVersions = map[string]string{}
		for _, resource := range answers[of].GetResources() {
			request.InitialResourceVersions[resource.GetName()] = resource.GetVersion()
		}
		c.send(request)
	}
	second.envoy(t, func(e Envoy) bool { return len(e.Types) == len(Types) })
	second.sends(t, twoClusters(t), true)
	for range 2 { // the wildcard types get an empty answer each, which ends Envoy's waiting
		answer := c.receive()
		if len(answer.GetResources())+len(answer.GetRemovedResources()) > 0 {
			t.Errorf("answer %v", answer)
		}
		c.send(ackDelta(answer))
	}
	second.envoy(t, current(Types...))
}

func TestCloseEndsStreams(t *testing.T) {
	r := run(t)
	delta, world := r.delta(t), r.sotw(t)
	delta.send(subscribeDelta(Listener))
	world.send(subscribe(Listener))
	wait(t, func() bool { return len(r.State().Envoys) == 2 })
	r.Close()
	r.grpc.GracefulStop() // hangs on an open stream
	if _, err := delta.stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("delta: %v", err)
	}
	if _, err := world.stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("state of the world: %v", err)
	}
	if envoys := r.State().Envoys; len(envoys) != 0 {
		t.Errorf("envoys %+v", envoys)
	}
}

func TestClientThatNeverAnswersIsCutOff(t *testing.T) {
	r := run(t)
	r.sends(t, front(t), true)
	c := r.delta(t)
	go func() {
		for c.stream.Send(subscribeDelta(Endpoint, "main")) == nil &&
			c.stream.Send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: typeURLs[Endpoint], ResourceNamesUnsubscribe: []string{"main"}}) == nil {
		}
	}()
	for {
		if _, err := c.stream.Recv(); err != nil {
			if status.Code(err) != codes.Unknown || !strings.Contains(err.Error(), `node "front-1": 257 answers without ACK or NACK`) {
				t.Error(err)
			}
			return
		}
	}
}

func current(types ...Type) func(Envoy) bool {
	return func(e Envoy) bool {
		return !slices.ContainsFunc(types, func(of Type) bool { return !e.Types[of].Current })
	}
}
