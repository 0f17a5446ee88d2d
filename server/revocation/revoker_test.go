package revocation

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
)

func TestRevoker(t *testing.T) {
	tests := map[string]struct {
		lines []string
		want  []string // at once
		later []string // after a while, beyond those
		kinds map[string]float64
	}{
		"a logout": {
			lines: []string{`RDATA caches master 16 ["get_device",["@a:x"],1]`, `RDATA caches master 19 ["get_user_by_access_token",["secret"],1]`},
			want:  []string{"user @a:x", "token secret"},
			later: []string{"token secret", "user @a:x"},
			kinds: map[string]float64{"user": 1, "token": 1},
		},
		"a line twice": {
			lines: []string{`RDATA caches master 19 ["get_user_by_access_token",["secret"],1]`, `RDATA caches master 19 ["get_user_by_access_token",["secret"],1]`},
			want:  []string{"token secret", "token secret"},
			later: []string{"token secret", "token secret"},
			kinds: map[string]float64{"token": 2},
		},
		"a login": {
			lines: []string{`RDATA caches master 5 ["get_device",["@a:x","D"],1]`},
			kinds: map[string]float64{"other": 1},
		},
		"an empty key": {
			lines: []string{`RDATA caches master 5 ["get_user_by_access_token",null,1]`},
			want:  []string{"flush"},
			later: []string{"flush"},
			kinds: map[string]float64{"everyone": 1},
		},
		"a gap": {
			lines: []string{`RDATA caches master 5 ["x",null,1]`, `POSITION caches master 9 9`},
			want:  []string{"flush"},
			later: []string{"flush"},
			kinds: map[string]float64{"other": 2},
		},
		"malformed lines": {
			lines: []string{`RDATA caches master 5 ["get_user_by_access_token",["secret"`, `RDATA caches master secret []`},
			kinds: map[string]float64{"malformed": 2},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, n, log, reg := newRevoker(t.Context())
				r.connected(false)
				for _, l := range test.lines {
					r.line(l)
				}
				want := append([]string{"flush"}, test.want...) // the one for the connection
				if diff := cmp.Diff(want, n.all()); diff != "" {
					t.Errorf("at once (-want +got):\n%s", diff)
				}
				time.Sleep(time.Minute)
				later := n.all()[len(want):]
				slices.Sort(later) // they come at the same time
				if diff := cmp.Diff(slices.Sorted(slices.Values(test.later)), later, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("after a while (-want +got):\n%s", diff)
				}
				for kind, count := range test.kinds {
					if got := value(t, reg, "axon_revocation_events_total", kind); got != count {
						t.Errorf("%v events %q, want %v", got, kind, count)
					}
				}
				if strings.Contains(log.String(), "secret") {
					t.Errorf("the log holds a token: %s", log)
				}
			})
		})
	}
}

func TestRevokerAfterAnInterruption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, n, _, reg := newRevoker(t.Context())
		r.connected(true)
		time.Sleep(usual.settling - time.Millisecond)
		if got := n.count("flush"); got != 1 {
			t.Errorf("%d flushes before Synapse had time to reconnect, want 1", got)
		}
		time.Sleep(time.Minute)
		if got := n.count("flush"); got != 2 {
			t.Errorf("%d flushes after it, want 2", got)
		}
		if got := value(t, reg, "axon_revocation_flushes_total", "settled"); got != 1 {
			t.Errorf("%v flushes counted as settled, want 1", got)
		}
	})
}

func TestRevokerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r, n, _, _ := newRevoker(ctx)
		r.connected(true)
		r.line(`RDATA caches master 19 ["get_user_by_access_token",["secret"],1]`)
		cancel()
		before := len(n.all())
		time.Sleep(time.Minute)
		if after := len(n.all()); after != before {
			t.Errorf("%d calls after the end", after-before)
		}
	})
}

func TestLagIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, _, reg := newRevoker(t.Context())
		r.connected(false)
		time.Sleep(3 * time.Second)
		// The bubble's clock began at midnight UTC 2000-01-01.
		r.line(`RDATA caches master 19 ["get_user_by_access_token",["secret"],946684801000]`)
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() == "axon_revocation_lag_seconds" && family.Metric[0].Histogram.GetSampleSum() != 2 {
				t.Errorf("lag %v s, want 2", family.Metric[0].Histogram.GetSampleSum())
			}
		}
	})
}

func newRevoker(ctx context.Context) (*revoker, *notes, *output, *prometheus.Registry) {
	n, log, reg := &notes{}, &output{}, prometheus.NewRegistry()
	return &revoker{ctx: ctx, forgetter: n, timing: usual, metrics: newMetrics(reg), log: log.logger()}, n, log, reg
}
