// Package faults makes faults on purpose, under load, on the real axon and the real Envoy, and counts what became of each
// request. docs/reliability.md has its figures.
package faults

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"axon/e2e/synapse"
)

var (
	long               = flag.Duration("for", 0, "make every fault, and then for this long any, in random order; 0: the shorter form")
	seed               = flag.Uint64("seed", 0, "of the random order; 0: any")
	only               = flag.String("only", "", "make only the faults whose name matches this regular expression")
	given              = flag.String("axon", "", "the axon to try instead of this tree's")
	markdown io.Writer = os.Stdout
)

// TestNothingIsLost makes the faults one by one and, in the longer form, in a random order.
func TestNothingIsLost(t *testing.T) {
	if *long == 0 {
		pollFor /= 2
	}
	draw := cmp.Or(*seed, rand.Uint64()%1_000_000)
	r := &report{out: markdown}
	r.head(draw)
	s := newSite(t, rand.New(rand.NewPCG(draw, 0)))
	all := chosen(t)
	for _, f := range all {
		if f.prepare != nil {
			f.prepare(s)
		}
	}
	s.begin()
	for _, f := range all {
		r.line(s.suffer(f))
	}
	s.once = len(s.usage)
	for end := time.Now().Add(*long); time.Now().Before(end); {
		f := all[s.draw.IntN(len(all))]
		r.line(s.suffer(f))
	}
	s.end()
	r.tail(s.over())
	for _, fault := range r.faults {
		t.Errorf("seed %d: %s", draw, fault)
	}
}

// patience is how long anything may take that has to come about.
const patience = 40 * time.Second

// until waits for check to give no error.
func (s *site) until(what string, check func() error) {
	s.t.Helper()
	var err error
	s.once = len(s.usage)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	s.t.Fatalf("%s: %v", what, err)
}

func freeAddress(t testing.TB) string {
	t.Helper()
	port, err := synapse.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}
