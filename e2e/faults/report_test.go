package faults

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// report is the table, in Markdown, a row as soon as it is known.
type report struct {
	out    io.Writer
	faults []string
}

var columns = []string{
	"fault", "requests", "polls", "reads lost", "writes lost", "doubled", "own", "refused", "polls cut", "moved", "parted", "back", "after", "slowest", "axon", "envoy", "verdict",
}

func (r *report) head(seed uint64) {
	fmt.Fprintf(r.out, "seed %d\n\n", seed)
	r.row(columns)
	r.row(strings.Fields(strings.Repeat("--- ", len(columns))))
}

func (r *report) row(cells []string) { fmt.Fprintf(r.out, "| %s |\n", strings.Join(cells, " | ")) }

func (r *report) line(w *window, c *counts) {
	verdict := "held"
	if bad := w.verdict(c); bad != "" {
		verdict = bad
		bad = w.fault.name + ": " + bad + "\n\t" + strings.Join(c.examples, "\n\t")
		r.faults = append(r.faults, bad)
		fmt.Fprintln(os.Stderr, bad)
	}
	name := w.fault.name
	if w.note != "" {
		name += " (" + w.note + ")"
	}
	cells := []string{name}
	for _, n := range []int{c.requests - c.polls, c.polls, c.readsLost, c.writesLost, c.doubled, c.own, c.refused, c.cut, c.moved, c.parted} {
		cells = append(cells, fmt.Sprint(n))
	}
	back := "100 %"
	if c.astray > 0 {
		back = fmt.Sprintf("all but %d", c.astray)
	}
	r.row(append(cells, back, tenths(c.back), tenths(c.slowest), mebibytes(w.usage.axon), mebibytes(w.usage.envoy), verdict))
}

// tail is what the run as a whole took.
func (r *report) tail(usage string, faults []string) {
	fmt.Fprintf(r.out, "\n%s\n", usage)
	r.faults = append(r.faults, faults...)
}

func tenths(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func mebibytes(p program) string { return fmt.Sprintf("%d MiB", p.rss>>10) }
