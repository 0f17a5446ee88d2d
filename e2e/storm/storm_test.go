// Package storm measures what a storm of initial syncs does to everybody else, on a real Synapse behind a real Envoy that has
// its configuration from Axon. docs/reliability.md has the numbers.
package storm

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"golang.org/x/sys/unix"

	"axon/e2e/synapse"
	"axon/envoy/envoytest"
	"axon/xds/plan"
	"axon/xds/topology"
	"axon/xds/translate"
)

const (
	rounds = 5
	// period is how long each round measures in quiet, and again in the storm.
	period = 3 * time.Second
	// pause is between two measured requests: few, so that they are no load themselves.
	pause = 40 * time.Millisecond
	// gathers is how long a storm rages before anything is measured.
	gathers = time.Second
)

// door is a way to set Axon up.
type door struct {
	name   string
	groups map[string][]string
	limits plan.Limits
	url    string

	quiet, storm [][]time.Duration // of incremental syncs, by round
	logins       [2][]time.Duration
	served       int // initial syncs
	turnedAway   int
}

func requests(n uint32) plan.Limits {
	queue := uint32(1000)
	return plan.Limits{string(plan.InitialSync): {Requests: &n, Queue: &queue}}
}

// together has no split: initial syncs go to the workers of incremental ones.
var together = map[string][]string{string(plan.InitialSync): {"sync-*"}}

func doors() []*door {
	return []*door{
		{name: "together, no limit", groups: together, limits: requests(100_000)},
		{name: "together, limit 2", groups: together}, // the default
		{name: "together, limit 1", groups: together, limits: requests(1)},
		{name: "split, no limit", limits: requests(100_000)},
		{name: "split, limit 2"}, // the default
	}
}

// BenchmarkInitialSyncStorm prints the 95th percentile of an incremental sync under 20 initial syncs at once as a multiple of
// that in quiet, for each way to set Axon up. Rounds take turns, so that what else the machine does meets all alike; the median
// of the rounds is given.
func BenchmarkInitialSyncStorm(b *testing.B) {
	h := startHomeserver(b)
	equal, nice, idle := doors(), &door{name: "split, nice 10"}, &door{name: "split, idle class"}
	all := append(equal, nice, idle)
	for _, d := range all {
		d.open(b, h)
	}
	for b.Loop() {
		take := func(doors ...*door) {
			for range rounds {
				for _, d := range doors {
					d.round(b, h)
				}
			}
		}
		take(equal...)
		polite(b, h.PID("initial-sync-1"), &unix.SchedAttr{Policy: unix.SCHED_NORMAL, Nice: 10})
		take(nice)
		polite(b, h.PID("initial-sync-1"), &unix.SchedAttr{Policy: unix.SCHED_IDLE})
		take(idle)
	}
	b.Log("\n" + table(all))
	for _, d := range all {
		b.ReportMetric(d.ratio(), strings.NewReplacer(", ", "-", " ", "-").Replace(d.name)+"-ratio")
	}
}

// open starts an Envoy for the door and returns when it serves.
func (d *door) open(b *testing.B, h *homeserver) {
	b.Helper()
	port, err := synapse.FreePort()
	if err != nil {
		b.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	topo, err := topology.Load(topology.Config{Synapse: topology.SynapseConfig{Config: []string{h.ConfigPath}, Workers: []string{h.WorkersDir}}}, nil, h.Dir)
	if err != nil {
		b.Fatal(err)
	}
	p, err := plan.Build(topo, plan.Config{Listeners: []plan.ListenerConfig{{Address: address}}, Groups: d.groups, Limits: d.limits}, nil)
	if err != nil {
		b.Fatal(err)
	}
	static, err := translate.Static(translate.Translate(p))
	if err != nil {
		b.Fatal(err)
	}
	envoytest.Start(b, &bootstrapv3.Bootstrap{Node: &corev3.Node{Id: "storm", Cluster: "storm"}, StaticResources: static})
	d.url = "http://" + address
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if status, _, err := send(http.DefaultClient, "GET", d.url+"/_matrix/client/versions", "", nil); err == nil && status == http.StatusOK {
			return
		}
	}
	b.Fatalf("%s: does not serve", d.name)
}

// round measures in quiet and then in a storm.
func (d *door) round(b *testing.B, h *homeserver) {
	b.Helper()
	_ = d.measure(b, h, &d.logins[0]) // warms caches up, which a storm has emptied
	d.quiet = append(d.quiet, d.measure(b, h, &d.logins[0]))
	calm := d.brew(h)
	time.Sleep(gathers)
	d.storm = append(d.storm, d.measure(b, h, &d.logins[1]))
	calm()
}

// measure asks for incremental syncs, with a login now and then, one at a time.
func (d *door) measure(b *testing.B, h *homeserver, logins *[]time.Duration) (took []time.Duration) {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	for n, end := 0, time.Now().Add(period); time.Now().Before(end); n++ {
		l := h.light[n%len(h.light)]
		began := time.Now()
		status, text, err := send(client, "GET", d.url+"/_matrix/client/v3/sync?timeout=0&since="+url.QueryEscape(l.since), l.token, nil)
		if err != nil || status != http.StatusOK {
			b.Fatalf("%s: incremental sync: %d %v: %s", d.name, status, err, text)
		}
		took = append(took, time.Since(began))
		if n%8 == 0 {
			began = time.Now()
			if status, text, err := send(client, "POST", d.url+"/_matrix/client/v3/login", "", loginOf("quiet0")); err != nil || status != http.StatusOK {
				b.Fatalf("%s: login: %d %v: %s", d.name, status, err, text)
			}
			*logins = append(*logins, time.Since(began))
		}
		time.Sleep(pause)
	}
	return took
}

// brew keeps an initial sync of every device of the storm under way until it is told to calm.
func (d *door) brew(h *homeserver) (calm func()) {
	var over atomic.Bool
	var served, turnedAway atomic.Int64
	var storm sync.WaitGroup
	for _, token := range h.storm {
		storm.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: 2 * time.Minute}
			defer client.CloseIdleConnections()
			for !over.Load() {
				switch status, _, err := send(client, "GET", d.url+"/_matrix/client/v3/sync?timeout=0", token, nil); {
				case err == nil && status == http.StatusOK:
					served.Add(1)
				default:
					turnedAway.Add(1)
					time.Sleep(time.Second)
				}
			}
		})
	}
	return func() {
		over.Store(true)
		storm.Wait()
		d.served += int(served.Load())
		d.turnedAway += int(turnedAway.Load())
	}
}

// ratio is the median of the rounds.
func (d *door) ratio() float64 {
	var ratios []float64
	for n := range d.quiet {
		ratios = append(ratios, float64(percentile(d.storm[n], 95))/float64(percentile(d.quiet[n], 95)))
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

func percentile(took []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}

func table(all []*door) string {
	var t strings.Builder
	fmt.Fprintf(&t, "%-22s %8s %8s %8s %10s %12s %12s\n", "", "p95", "p50", "login p95", "served", "turned away", "p95s by round")
	for _, d := range all {
		quiet, storm := slices.Concat(d.quiet...), slices.Concat(d.storm...)
		by := func(p int) float64 { return float64(percentile(storm, p)) / float64(percentile(quiet, p)) }
		fmt.Fprintf(&t, "%-22s %8.2f %8.2f %8.2f %10d %12d", d.name, d.ratio(), by(50),
			float64(percentile(d.logins[1], 95))/float64(percentile(d.logins[0], 95)), d.served, d.turnedAway)
		for n := range d.quiet {
			fmt.Fprintf(&t, "  %s/%s", percentile(d.storm[n], 95).Round(time.Millisecond), percentile(d.quiet[n], 95).Round(time.Millisecond))
		}
		t.WriteString("\n")
	}
	return t.String()
}

// polite has a process, all its threads, stand back where others want the processor.
func polite(b *testing.B, pid int, how *unix.SchedAttr) {
	b.Helper()
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		b.Fatal(err)
	}
	how.Size = unix.SizeofSchedAttr
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			b.Fatal(err)
		}
		if err := unix.SchedSetAttr(id, how, 0); err != nil {
			b.Fatal(err)
		}
	}
}
