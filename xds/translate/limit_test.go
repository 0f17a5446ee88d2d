package translate

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"axon/xds/plan"
	"axon/xds/topology"
)

// gate is an upstream whose requests stay until it opens.
type gate struct {
	open     chan struct{}
	now, max atomic.Int32
}

func (g *gate) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	now := g.now.Add(1)
	defer g.now.Add(-1)
	for most := g.max.Load(); now > most && !g.max.CompareAndSwap(most, now); most = g.max.Load() {
	}
	select {
	case <-g.open:
	case <-r.Context().Done():
	}
}

// await returns when the gate has so many requests.
func (g *gate) await(t *testing.T, n int32) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if g.now.Load() == n {
			return
		}
	}
	t.Fatalf("%d requests under way, want %d", g.now.Load(), n)
}

// behindGate is main alone behind a gate, with limits.
func behindGate(t *testing.T, limits plan.Limits) (*gate, *plan.Plan) {
	t.Helper()
	g := &gate{open: make(chan struct{})}
	topo := processes(func(string) topology.Address { return serve(t, g.ServeHTTP) }, "main")
	p, err := plan.Build(topo, plan.Config{Listeners: []plan.ListenerConfig{{Address: listenerFor(t).Address.String()}}, Limits: limits}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return g, p
}

// answer is what became of a request.
type answer struct {
	*http.Response
	body string
}

// start sends so many requests at once.
func start(t *testing.T, n int, url string) chan answer {
	t.Helper()
	answers := make(chan answer, n)
	client := &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
	for range n {
		go func() {
			response, err := client.Get(url)
			if err != nil {
				t.Error(err)
				answers <- answer{Response: &http.Response{}}
				return
			}
			defer response.Body.Close()
			body, _ := io.ReadAll(response.Body)
			answers <- answer{response, string(body)}
		}()
	}
	return answers
}

func limit(requests, queue uint32) plan.LimitConfig {
	return plan.LimitConfig{Requests: &requests, Queue: &queue}
}

func TestStormWaitsForItsTurn(t *testing.T) {
	gate, p := behindGate(t, plan.Limits{"initial_sync": limit(2, 3)})
	address, _ := startPlan(t, p, nil)
	initial := "http://" + address + "/_matrix/client/v3/sync"

	underWay := start(t, 2, initial)
	gate.await(t, 2)
	more := start(t, 8, initial)
	for range 5 {
		a := <-more
		if a.StatusCode != http.StatusTooManyRequests {
			t.Fatalf("beyond the queue: %d: %s", a.StatusCode, a.body)
		}
		if said := isMatrixError(t, a.Response, a.body, "M_LIMIT_EXCEEDED"); said["retry_after_ms"] != 5000. {
			t.Errorf("retry_after_ms is not a number of milliseconds: %s", a.body)
		}
		for header, want := range map[string]string{"Retry-After": "5", "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"} {
			if got := a.Header.Get(header); got != want {
				t.Errorf("%s: %q, want %q", header, got, want)
			}
		}
	}
	if a := <-start(t, 1, initial); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the queue has room while nothing was served: %d", a.StatusCode)
	}

	incremental := start(t, 5, initial+"?since=s1")
	logins := start(t, 5, "http://"+address+"/_matrix/client/v3/login")
	gate.await(t, 12) // they do not wait
	close(gate.open)
	for _, served := range []chan answer{underWay, underWay, more, more, more, incremental, incremental, incremental, incremental, incremental, logins, logins, logins, logins, logins} {
		if a := <-served; a.StatusCode != http.StatusOK {
			t.Errorf("served late: %d: %s", a.StatusCode, a.body)
		}
	}
}

// TestWaitingHasAnEnd shows what bounds the wait: the silence that its route allows.
func TestWaitingHasAnEnd(t *testing.T) {
	shorten(t)
	gate, p := behindGate(t, plan.Limits{"client_reader": limit(1, 10)})
	address, _ := startPlan(t, p, nil)
	url := "http://" + address + "/_matrix/client/versions"
	first := start(t, 1, url)
	gate.await(t, 1)
	if a := <-start(t, 1, url); a.StatusCode != http.StatusGatewayTimeout || !strings.Contains(a.body, "M_UNKNOWN") {
		t.Errorf("waited: %d: %s", a.StatusCode, a.body)
	}
	if a := <-first; a.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("under way: %d", a.StatusCode)
	}
	if most := gate.max.Load(); most != 1 {
		t.Errorf("%d at once", most)
	}
}

// TestWhoeverLeavesTheQueueLeavesItsPlace shows that a client that gives up while it waits is never worked for.
func TestWhoeverLeavesTheQueueLeavesItsPlace(t *testing.T) {
	gate, p := behindGate(t, plan.Limits{"initial_sync": limit(1, 1)})
	address, _ := startPlan(t, p, nil)
	url := "http://" + address + "/_matrix/client/v3/sync"
	first := start(t, 1, url)
	gate.await(t, 1)
	if _, err := (&http.Client{Timeout: 300 * time.Millisecond}).Get(url); err == nil {
		t.Fatal("nobody waited")
	}
	second := start(t, 1, url)
	close(gate.open)
	for _, served := range []chan answer{first, second} {
		if a := <-served; a.StatusCode != http.StatusOK {
			t.Errorf("%d: %s", a.StatusCode, a.body)
		}
	}
}

func TestZeroLimitsAreEnvoysRaised(t *testing.T) {
	breakers := circuitBreakers(plan.Limit{})
	if breakers.PerHostThresholds != nil || breakers.Thresholds[0].MaxPendingRequests.Value != manyRequests || breakers.Thresholds[0].MaxRetries.Value != manyRetries {
		t.Errorf("%v", breakers)
	}
}
