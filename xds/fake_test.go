package xds

import (
	"maps"
	"slices"
	"sync"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// fake asks and answers as Envoy does, load assignments by the clusters that it holds, and refuses what it is told to.
type fake struct {
	t       *testing.T
	id      string
	refuses func(Type, types.Resource) bool // may be nil

	mu   sync.Mutex
	held map[Type]map[string]types.Resource
	seen map[Type]int // answers, by type
}

// protocols starts a fake of each, which goes on until the test ends.
var protocols = map[string]func(*testing.T, *running, *fake){
	"delta":              func(t *testing.T, r *running, f *fake) { go f.delta(r.delta(t)) },
	"state of the world": func(t *testing.T, r *running, f *fake) { go f.world(r.sotw(t)) },
}

func newFake(t *testing.T, id string, refuses func(Type, types.Resource) bool) *fake {
	f := &fake{t: t, id: id, refuses: refuses, held: map[Type]map[string]types.Resource{}, seen: map[Type]int{}}
	for _, of := range Types {
		f.held[of] = map[string]types.Resource{}
	}
	return f
}

func (f *fake) node() *corev3.Node { return &corev3.Node{Id: f.id} }

// holds says whether the fake has exactly these resources.
func (f *fake) holds(t *testing.T, resources map[Type][]types.Resource) bool {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for of, list := range resources {
		want := cachev3.IndexRawResourcesByName(list)
		if !maps.EqualFunc(want, f.held[of], func(a, b types.Resource) bool { return text(t, a) == text(t, b) }) {
			return false
		}
	}
	return true
}

func text(t *testing.T, r types.Resource) string { return string(anyOf(t, r).GetValue()) }

func (f *fake) answers(of Type) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[of]
}

// take gives false where it refuses something.
func (f *fake) take(of Type, all []*anypb.Any, removed []string, whole bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[of]++
	fresh := map[string]types.Resource{}
	for _, a := range all {
		m, err := a.UnmarshalNew()
		if err != nil {
			f.t.Error(err)
			return false
		}
		if f.refuses != nil && f.refuses(of, m) {
			return false
		}
		fresh[cachev3.GetResourceName(m)] = m
	}
	if whole && of != Endpoint && of != Route {
		f.held[of] = map[string]types.Resource{}
	}
	maps.Copy(f.held[of], fresh)
	for _, name := range removed {
		delete(f.held[of], name)
	}
	if of == Cluster {
		maps.DeleteFunc(f.held[Endpoint], func(name string, _ types.Resource) bool { return f.held[Cluster][name] == nil })
	}
	return true
}

func (f *fake) clusters() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.held[Cluster]))
}

const why = "no, thank you"

func (f *fake) delta(c *deltaClient) {
	asked := map[string]bool{}
	send := func(r *discoveryv3.DeltaDiscoveryRequest) {
		r.Node = f.node()
		_ = c.stream.Send(r)
	}
	send(subscribeDelta(Cluster))
	for {
		r, err := c.stream.Recv()
		if err != nil {
			return
		}
		of := typeOf(r.GetTypeUrl())
		var all []*anypb.Any
		for _, resource := range r.GetResources() {
			all = append(all, resource.GetResource())
		}
		if !f.take(of, all, r.GetRemovedResources(), false) {
			send(nackDelta(r, why))
			continue
		}
		send(ackDelta(r))
		if of != Cluster {
			continue
		}
		first := len(asked) == 0
		next := subscribeDelta(Endpoint)
		for _, name := range f.clusters() {
			if !asked[name] {
				next.ResourceNamesSubscribe = append(next.ResourceNamesSubscribe, name)
				asked[name] = true
			}
		}
		for name := range asked {
			if !slices.Contains(f.clusters(), name) {
				next.ResourceNamesUnsubscribe = append(next.ResourceNamesUnsubscribe, name)
				delete(asked, name)
			}
		}
		if len(next.ResourceNamesSubscribe)+len(next.ResourceNamesUnsubscribe) > 0 {
			send(next)
		}
		if first {
			send(subscribeDelta(Listener))
			send(subscribeDelta(Route, "http"))
		}
	}
}

func (f *fake) world(c *sotwClient) {
	asked := map[Type]*discoveryv3.DiscoveryRequest{}
	send := func(r *discoveryv3.DiscoveryRequest) {
		r.Node = f.node()
		asked[typeOf(r.GetTypeUrl())] = r
		_ = c.stream.Send(r)
	}
	send(subscribe(Cluster))
	for {
		r, err := c.stream.Recv()
		if err != nil {
			return
		}
		of := typeOf(r.GetTypeUrl())
		last := asked[of]
		if !f.take(of, r.GetResources(), nil, true) {
			refused := nack(r, last.GetVersionInfo(), why)
			refused.ResourceNames = last.GetResourceNames()
			send(refused)
			continue
		}
		send(ack(r, last.GetResourceNames()...))
		if of != Cluster {
			continue
		}
		first := asked[Endpoint] == nil
		if first {
			asked[Endpoint] = subscribe(Endpoint)
		}
		if names := f.clusters(); !slices.Equal(names, asked[Endpoint].GetResourceNames()) {
			next := &discoveryv3.DiscoveryRequest{
				TypeUrl: typeURLs[Endpoint], ResourceNames: names,
				VersionInfo: asked[Endpoint].GetVersionInfo(), ResponseNonce: asked[Endpoint].GetResponseNonce(),
			}
			send(next)
		}
		if first {
			send(subscribe(Listener))
			send(subscribe(Route, "http"))
		}
	}
}
