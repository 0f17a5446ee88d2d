//go:build linux

package bench

import (
	"bufio"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"axon/bench/load"
	"axon/envoy/envoytest"
)

// Each count is the smallest of some rounds, which the listeners have by turns: what differs between them is how often Envoy
// wakes up for one request, and that only adds.
const (
	warmUp  = 30
	rounds  = 7
	counted = 100
	// mostAdded is how much the tree may add, in percent.
	mostAdded = 5
)

// BenchmarkInstructions counts what BenchmarkRoutes measures: the instructions that Envoy, without the kernel, executes for a
// request. Valgrind counts them, which has to be installed. Unlike times they hardly depend on what else the machine does.
func BenchmarkInstructions(b *testing.B) {
	c := startCounter(b)
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c.compare(b, name)
			}
		})
	}
}

// counter is an Envoy that Valgrind runs.
type counter struct {
	*front
	dir   string
	dumps int
}

func startCounter(b *testing.B) *counter {
	b.Helper()
	valgrind, err := exec.LookPath("valgrind")
	if err != nil {
		b.Fatal(err)
	}
	c := &counter{dir: b.TempDir()}
	wrapped := fmt.Sprintf("#!/bin/sh\nexec %s --tool=callgrind --instr-atstart=no --callgrind-out-file=%s/counts -q %s \"$@\"\n",
		valgrind, c.dir, envoytest.Binary(b))
	script := filepath.Join(c.dir, "envoy")
	if err := os.WriteFile(script, []byte(wrapped), 0o700); err != nil {
		b.Fatal(err)
	}
	b.Setenv("ENVOY", script)
	c.front = startFront(b)
	c.tell(b, "instrumentation", "on")
	return c
}

// tell gives Valgrind an order.
func (c *counter) tell(b *testing.B, order ...string) {
	b.Helper()
	if out, err := exec.Command("vgdb", append([]string{"--pid=" + strconv.Itoa(c.pid)}, order...)...).CombinedOutput(); err != nil {
		b.Fatalf("vgdb %v: %v: %s", order, err, out)
	}
}

func (c *counter) compare(b *testing.B, kind string) {
	b.Helper()
	listeners := []string{treeListener, kind, bareListener, linearListener}
	least := map[string]float64{}
	for _, listener := range listeners {
		c.send(b, listener, kind, warmUp)
		least[listener] = math.Inf(1)
	}
	for range rounds {
		for _, listener := range listeners {
			least[listener] = min(least[listener], c.count(b, listener, kind))
		}
	}
	single := least[kind]
	added := 100 * (least[treeListener] - single) / single
	if added > mostAdded {
		b.Errorf("the tree adds %.1f %% to a request's instructions, more than %d %%", added, mostAdded)
	}
	b.ReportMetric(added, "%tree")
	b.ReportMetric(100*(least[linearListener]-single)/single, "%linear")
	b.ReportMetric(100*(least[treeListener]-least[bareListener])/least[bareListener], "%bare")
	b.ReportMetric(single, "k/request")
	b.ReportMetric(0, "ns/op")
}

// count is the number of instructions of a request, in thousands.
func (c *counter) count(b *testing.B, listener, kind string) float64 {
	b.Helper()
	c.tell(b, "zero")
	c.send(b, listener, kind, counted)
	c.tell(b, "dump")
	c.dumps++
	return float64(total(b, fmt.Sprintf("%s/counts.%d", c.dir, c.dumps))) / counted / 1000
}

// send uses one connection: more of them would share wake-ups, now and then.
func (c *counter) send(b *testing.B, listener, kind string, n int) {
	b.Helper()
	if _, err := load.Send(c.addresses[listener], 1, n, func(int) []byte { return kinds[kind].request }); err != nil {
		b.Fatal(err)
	}
}

// total is the sum of a dump.
func total(b *testing.B, file string) (n int64) {
	b.Helper()
	dump, err := os.Open(file)
	if err != nil {
		b.Fatal(err)
	}
	defer dump.Close()
	for lines := bufio.NewScanner(dump); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "totals: "); ok {
			if n, err = strconv.ParseInt(value, 10, 64); err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	b.Fatalf("%s: no total", file)
	return 0
}
