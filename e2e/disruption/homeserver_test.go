package disruption

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"axon/bench/load"
	"axon/demo/standin"
	"axon/envoy/envoytest"
	"axon/xds/plan"
	"axon/xds/ring"
	"axon/xds/topology"
	"axon/xds/translate"
)

const (
	users       = 20_000
	connections = 32
	// everyNth of the users sends requests while something goes on: more of them only keep the machine busy.
	everyNth = 400

	listenerName = "front"
	syncCluster  = string(plan.Sync)
	mainName     = topology.MainName
)

// homeserver is main and generic workers, behind a front door that is told of them.
type homeserver struct {
	*front
	balance plan.Balance
	names   []string // of the workers that are in the plan
	sockets map[string]string
	running map[string]*load.Worker
	dir     string
	syncs   [][]byte // a request of each user

	// at is each user's worker as long as nothing happens; strayed counts the requests that went elsewhere meanwhile, but for
	// those of the worker that it happens to.
	at      []string
	strayed int
}

func startHomeserver(t testing.TB, balance plan.Balance, workers int) *homeserver {
	t.Helper()
	h := &homeserver{balance: balance, dir: envoytest.ShortDir(t), sockets: map[string]string{}, running: map[string]*load.Worker{}}
	for i := range workers {
		h.names = append(h.names, fmt.Sprintf("sync-%d", i+1))
	}
	for _, name := range append(slices.Clone(h.names), mainName) {
		h.live(t, name, name)
	}
	t.Cleanup(func() {
		for name := range h.running {
			h.die(name)
		}
	})
	for i := range users {
		h.syncs = append(h.syncs, fmt.Appendf(nil,
			"GET /_matrix/client/v3/sync?since=1 HTTP/1.1\r\nHost: example.org\r\nAuthorization: Bearer %s\r\n\r\n", standin.NativeToken(user(i))))
	}
	h.front = startFront(t, h.dir)
	h.publish(t, h.names)
	h.listen(t)
	for name := range h.running {
		h.untilUsed(t, name, true)
	}
	return h
}

func user(i int) string { return fmt.Sprintf("@user-%d:example.org", i) }

// live starts a worker at an address; it keeps its name.
func (h *homeserver) live(t testing.TB, name, socket string) {
	t.Helper()
	h.sockets[name] = filepath.Join(h.dir, socket)
	w, err := load.NewWorker(name, "unix", h.sockets[name])
	if err != nil {
		t.Fatal(err)
	}
	h.running[name] = w
}

// die kills a worker.
func (h *homeserver) die(name string) {
	h.running[name].Close()
	delete(h.running, name)
}

// plan makes the plan of a homeserver with these workers.
func (h *homeserver) plan(t testing.TB, names []string) *plan.Plan {
	t.Helper()
	section := topology.Section{ServerName: "example.org", Main: "unix:" + h.sockets[mainName]}
	for _, name := range names {
		section.Workers = append(section.Workers, topology.WorkerConfig{Name: name, Address: "unix:" + h.sockets[name]})
	}
	topo, err := topology.Load(topology.Config{Topology: section}, nil, h.dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Build(topo, plan.Config{Balance: h.balance, Listeners: []plan.ListenerConfig{{Address: "127.0.0.1:1"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.Listeners[0].Name, p.Listeners[0].Address.Port = listenerName, 0 // any free one
	return p
}

// picker is what axon topology knows of the workers that get the syncs.
func (h *homeserver) picker(t testing.TB, names []string) ring.Picker {
	t.Helper()
	p := h.plan(t, names)
	i := slices.IndexFunc(p.Clusters, func(c plan.Cluster) bool { return c.Name == syncCluster })
	return ring.For(p.Balance, p.Clusters[i])
}

// publish tells Envoy of these workers, wherever they live now.
func (h *homeserver) publish(t testing.TB, names []string) {
	t.Helper()
	if _, err := h.control.Publish(translate.Translate(h.plan(t, names))); err != nil {
		t.Fatal(err)
	}
	h.names = names
}

// untilUsed waits until Envoy uses a worker, or does not: until it says so, and its answers do, which may take a moment longer.
// Meanwhile some users go on, and so they do once more afterwards.
func (h *homeserver) untilUsed(t testing.TB, name string, used bool) {
	t.Helper()
	until(t, fmt.Sprintf("Envoy uses %s: %t", name, used), func() bool {
		known := h.uses(t, h.sockets[name]) == used
		return h.serves(t, name) == (used && name != mainName) && known
	})
	h.serves(t, name)
}

// serves says whether a worker has some of the users' requests.
func (h *homeserver) serves(t testing.TB, name string) (does bool) {
	t.Helper()
	for i, a := range h.send(t, everyNth) {
		does = does || a.Worker == name
		if h.at != nil && h.at[i*everyNth] != name && h.at[i*everyNth] != a.Worker {
			h.strayed++
		}
	}
	return does
}

// sweep gives the worker of each user.
func (h *homeserver) sweep(t testing.TB) []string {
	t.Helper()
	var workers []string
	for _, a := range h.send(t, 1) {
		workers = append(workers, a.Worker)
	}
	return workers
}

// send sends a request of every nth user, each of which must be answered 200.
func (h *homeserver) send(t testing.TB, nth int) []load.Answer {
	t.Helper()
	answers, err := load.Send(h.address, connections, users/nth, func(i int) []byte { return h.syncs[i*nth] })
	if err != nil {
		t.Fatal(err)
	}
	bad := map[int]int{}
	for _, a := range answers {
		if a.Status != 200 {
			bad[a.Status]++
		}
	}
	for status, n := range bad {
		t.Errorf("%d of %d requests were answered %d", n, len(answers), status)
	}
	return answers
}
