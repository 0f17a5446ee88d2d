package translate

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"axon/xds/plan"
	"axon/xds/topology"
)

// stand is a process that says its name, and can be stopped and started at its address.
type stand struct {
	name, address string
	server        *http.Server
}

func (s *stand) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	s.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s.name) })}
	go func() { _ = s.server.Serve(l) }()
	t.Cleanup(s.stop)
}

func (s *stand) stop() { _ = s.server.Close() }

// standing starts a process for each name, and gives the topology that they make.
func standing(t *testing.T, names ...string) (map[string]*stand, *topology.Topology) {
	t.Helper()
	stands := map[string]*stand{}
	return stands, processes(func(name string) topology.Address {
		s := &stand{name: name, address: "127.0.0.1:0"}
		s.start(t)
		stands[name] = s
		address, err := topology.ParseAddress(s.address)
		if err != nil {
			t.Fatal(err)
		}
		return address
	}, names...)
}

// TestInitialSyncsStepBack is initial-sync ► sync ► main, and back again.
func TestInitialSyncsStepBack(t *testing.T) {
	for _, balance := range []plan.Balance{plan.RingHash, plan.Maglev} {
		for _, initial := range []int{1, 2} {
			t.Run(fmt.Sprint(balance, " with ", initial), func(t *testing.T) { stepBack(t, balance, initial) })
		}
	}
}

func stepBack(t *testing.T, balance plan.Balance, initial int) {
	names := []string{"main", "sync-1", "sync-2"}
	for n := range initial {
		names = append(names, fmt.Sprintf("initial-sync-%d", n+1))
	}
	stands, topo := standing(t, names...)
	interval := 100 * time.Millisecond
	p, err := plan.Build(topo, plan.Config{
		Balance: balance, Health: plan.HealthConfig{Interval: &interval},
		Listeners: []plan.ListenerConfig{{Address: listenerFor(t).Address.String()}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	address, _ := startPlan(t, p, nil)
	become := func(prefix string) { t.Helper(); becomes(t, "http://"+address+"/_matrix/client/v3/sync", prefix) }
	each := func(prefix string, do func(*stand)) {
		for name, s := range stands {
			if strings.HasPrefix(name, prefix) {
				do(s)
			}
		}
	}
	become("initial-sync-")
	each("initial-sync-", (*stand).stop)
	become("sync-")
	each("sync-", (*stand).stop)
	become("main")
	each("sync-", func(s *stand) { s.start(t) })
	become("sync-")
	each("initial-sync-", func(s *stand) { s.start(t) })
	become("initial-sync-")
}

// TestMainStepsInAtOnce has the only worker of a group die under load, where requests take turns: none is lost, although health
// checks would not notice before the test has ended.
func TestMainStepsInAtOnce(t *testing.T) {
	stands, topo := standing(t, "main", "client-reader-1")
	interval := time.Minute
	p, err := plan.Build(topo, plan.Config{
		Health:    plan.HealthConfig{Interval: &interval},
		Listeners: []plan.ListenerConfig{{Address: listenerFor(t).Address.String()}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	address, _ := startPlan(t, p, nil)
	url := "http://" + address + "/_matrix/client/v3/joined_rooms"
	becomes(t, url, "client-reader-1")
	stands["client-reader-1"].stop()
	for range 20 {
		answers := start(t, 20, url)
		for range 20 {
			if a := <-answers; a.StatusCode != http.StatusOK || a.body != "main" {
				t.Errorf("%d from %q, want 200 from main", a.StatusCode, a.body)
			}
		}
	}
}

// becomes returns once twenty answers in a row come from processes whose names begin with the prefix.
func becomes(t *testing.T, url, prefix string) {
	t.Helper()
	var last string
	client := &http.Client{Timeout: 5 * time.Second}
	for run, end := 0, time.Now().Add(20*time.Second); run < 20; {
		if time.Now().After(end) {
			t.Fatalf("answered by %s, want %s", last, prefix)
		}
		response, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if last = string(body); response.StatusCode == http.StatusOK && strings.HasPrefix(last, prefix) {
			run++
		} else {
			run = 0
			time.Sleep(20 * time.Millisecond)
		}
	}
}
