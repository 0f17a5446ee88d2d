package translate

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"axon/xds/plan"
	"axon/xds/topology"
)

func TestBoundedLoadIsForHashedClusters(t *testing.T) {
	hashed := plan.Cluster{Name: "sync", Hashed: true, Members: []plan.Member{{Name: "a"}, {Name: "b"}}, Fallback: &plan.Member{Name: "main"}}
	plain := hashed
	plain.Hashed = false
	tests := map[string]struct {
		percent uint32
		cluster plan.Cluster
		want    uint32
	}{
		"a ring":             {150, hashed, 150},
		"the least busy":     {150, plain, 0},
		"nobody asks for it": {0, hashed, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, balance := range []plan.Balance{plan.RingHash, plan.Maglev} {
				built := cluster(&plan.Plan{Balance: balance, BoundedLoad: tt.percent}, tt.cluster)
				if got := built.CommonLbConfig.GetConsistentHashingLbConfig().GetHashBalanceFactor().GetValue(); got != tt.want {
					t.Errorf("%s: %d, want %d", balance, got, tt.want)
				}
			}
		})
	}
}

func TestHealthIsAskedAsOftenAsThePlanSays(t *testing.T) {
	c := plan.Cluster{Name: "sync", Members: []plan.Member{{Name: "a"}, {Name: "b"}}}
	for name, tt := range map[string]struct{ health, want plan.Health }{
		"by default": {want: plan.Health{Interval: healthInterval, Timeout: healthTimeout}},
		"as told":    {plan.Health{Interval: time.Minute, Timeout: 3 * time.Second}, plan.Health{Interval: time.Minute, Timeout: 3 * time.Second}},
	} {
		check := cluster(&plan.Plan{Health: tt.health}, c).HealthChecks[0]
		if got := (plan.Health{Interval: check.Interval.AsDuration(), Timeout: check.Timeout.AsDuration()}); got != tt.want || check.NoTrafficInterval.AsDuration() != tt.want.Interval {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// TestBoundedLoadSpreadsWhatIsUnderWay holds thirty requests of one user open, and counts who has them.
func TestBoundedLoadSpreadsWhatIsUnderWay(t *testing.T) {
	const polls = 30
	for name, tt := range map[string]struct {
		percent       uint32
		mostAtOne     int32
		least, atMain int32
	}{
		"without it one worker has them all": {percent: 0, least: polls, mostAtOne: polls},
		"with it the others help out":        {percent: 150, least: 1, mostAtOne: polls*150/100/3 + 1, atMain: 2},
	} {
		t.Run(name, func(t *testing.T) {
			gates, p := behindGates(t, tt.percent)
			address, admin := startPlan(t, p, nil)
			awaitWorkers(t, admin)
			var answers []chan answer
			var counts map[string]int32
			for n := range int32(polls) { // one by one: Envoy counts a request once it has a connection
				answers = append(answers, start(t, 1, "http://"+address+"/_matrix/client/v3/sync?since=s1&access_token=one"))
				counts = settled(t, gates, n+1)
			}
			t.Log(counts)
			for name, n := range counts {
				if name == "main" && n > tt.atMain || n > tt.mostAtOne {
					t.Errorf("%s has %d", name, n)
				}
			}
			if most := max(counts["sync-1"], counts["sync-2"], counts["sync-3"]); most < tt.least {
				t.Errorf("the busiest has %d", most)
			}
			for _, g := range gates {
				close(g.open)
			}
			for _, a := range answers {
				<-a
			}
		})
	}
}

// behindGates is main and three sync workers, each behind a gate.
func behindGates(t *testing.T, percent uint32) (map[string]*gate, *plan.Plan) {
	t.Helper()
	gates := map[string]*gate{}
	topo := processes(func(name string) topology.Address {
		g := &gate{open: make(chan struct{})}
		gates[name] = g
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/health" {
				g.ServeHTTP(w, r)
			}
		})
	}, "main", "sync-1", "sync-2", "sync-3")
	interval := 200 * time.Millisecond
	config := plan.Config{Listeners: []plan.ListenerConfig{{Address: listenerFor(t).Address.String()}}, Health: plan.HealthConfig{Interval: &interval}}
	if percent > 0 {
		config.BoundedLoad = &percent
	}
	p, err := plan.Build(topo, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	return gates, p
}

// settled waits until the gates have n requests in all and gives what each has.
func settled(t *testing.T, gates map[string]*gate, n int32) map[string]int32 {
	t.Helper()
	counts := map[string]int32{}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		sum := int32(0)
		for name, g := range gates {
			counts[name] = g.now.Load()
			sum += counts[name]
		}
		if sum == n {
			return counts
		}
	}
	t.Fatalf("under way: %v, want %d in all", counts, n)
	return nil
}

// awaitWorkers returns once Envoy takes all members of the cluster of syncs, and main, for healthy and has acted on it: on a busy
// machine their first check may come to nothing.
func awaitWorkers(t *testing.T, admin string) {
	t.Helper()
	const members, acts = 4, 1200 * time.Millisecond // Envoy collects changes of health for a second
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		response, err := http.Get("http://" + admin + "/clusters")
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		healthy := 0
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "sync::") && strings.HasSuffix(strings.TrimSpace(line), "health_flags::healthy") {
				healthy++
			}
		}
		if healthy == members {
			time.Sleep(acts)
			return
		}
	}
	t.Fatal("the workers are not healthy")
}
