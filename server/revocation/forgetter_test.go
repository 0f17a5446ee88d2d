package revocation

import (
	"bytes"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// waitLimit is how long a test waits for what should be there at once.
const waitLimit = 30 * time.Second

// notes is a Forgetter that writes down what it is told.
type notes struct {
	sync.Mutex
	calls []string
}

func (n *notes) Forget(token string)      { n.add("token " + token) }
func (n *notes) ForgetUser(userID string) { n.add("user " + userID) }
func (n *notes) Flush()                   { n.add("flush") }

func (n *notes) add(call string) {
	n.Lock()
	defer n.Unlock()
	n.calls = append(n.calls, call)
}

func (n *notes) all() []string {
	n.Lock()
	defer n.Unlock()
	return slices.Clone(n.calls)
}

func (n *notes) count(call string) int {
	count := 0
	for _, c := range n.all() {
		if c == call {
			count++
		}
	}
	return count
}

// output is a log that several goroutines write and read.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func (o *output) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(o, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// eventually waits until it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(waitLimit); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// value is that of the one metric of a name and a label, 0 where there is none.
func value(t *testing.T, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.Metric {
			if family.GetName() != name || label != "" && m.Label[0].GetValue() != label {
				continue
			}
			return m.Gauge.GetValue() + m.Counter.GetValue()
		}
	}
	return 0
}

func TestMetricsAreAsPrometheusWantsThem(t *testing.T) {
	reg := prometheus.NewRegistry()
	newMetrics(reg)
	newMetrics(reg) // again, as after a change of the configuration
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}
