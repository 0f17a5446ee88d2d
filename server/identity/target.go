package identity

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"axon/xds/topology"
)

const (
	// avoidFor is how long a process that could not be reached, or did not answer in time, is asked only when no
	// better one is left.
	avoidFor = 2 * time.Second
	// connectTimeout leaves time for another process within the usual time-out.
	connectTimeout = 200 * time.Millisecond
	// idleTimeout is shorter than Synapse's own, 90 s at least.
	idleTimeout = time.Minute
	// maxIdle bounds the kept connections to one process.
	maxIdle = 32
)

// target is one process to ask.
type target struct {
	address   topology.Address
	url       string
	transport *http.Transport
	// Until when to avoid it; nil where nothing was wrong. Times with a monotonic clock, so that a target is not shunned for hours
	// after somebody has set the other clock back.
	unreachable, slow atomic.Pointer[time.Time]
}

func newTarget(a topology.Address) *target {
	network, address, host := "tcp", a.String(), a.String()
	if a.Path != "" {
		network, address, host = "unix", a.Path, "localhost"
	}
	dialer := &net.Dialer{Timeout: connectTimeout}
	return &target{
		address: a,
		url:     "http://" + host + "/_matrix/client/v3/account/whoami",
		transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, address)
			},
			MaxIdleConnsPerHost:    maxIdle,
			IdleConnTimeout:        idleTimeout,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 16 << 10,
		},
	}
}

// failed remembers how a call went wrong. A caller who left says nothing about the process.
func (t *target) failed(ctx context.Context) {
	until := time.Now().Add(avoidFor)
	switch err := ctx.Err(); {
	case err == nil:
		t.unreachable.Store(&until)
	case errors.Is(err, context.DeadlineExceeded):
		t.slow.Store(&until)
	}
}

// choice is a target in its place: a worker, or main as the fallback.
type choice struct {
	*target
	fallback bool
}

// rank orders choices, lowest first. Main is spared workers that are merely slow: a slow database makes all of them so,
// and main is the process that must not be buried then.
func (c choice) rank(now time.Time) int {
	switch {
	case after(&c.unreachable, now):
		return 3
	case c.fallback:
		return 2
	case after(&c.slow, now):
		return 1
	}
	return 0
}

func after(until *atomic.Pointer[time.Time], now time.Time) bool {
	t := until.Load()
	return t != nil && t.After(now)
}

// choices are all that may be asked.
type choices []choice

// order gives them in the order to ask, beginning with the start-th where all are well.
func (all choices) order(start uint32) choices {
	if len(all) == 0 {
		return nil
	}
	first := int(start) % len(all)
	order := slices.Concat(all[first:], all[:first])
	now := time.Now()
	slices.SortStableFunc(order, func(a, b choice) int { return cmp.Compare(a.rank(now), b.rank(now)) })
	return order
}

// with gives the choices for new addresses, keeping the connections and the memory of those that stay.
func (all choices) with(workers, fallback []topology.Address) choices {
	var next choices
	add := func(a topology.Address, fallback bool) {
		same := func(c choice) bool { return c.address == a }
		if slices.ContainsFunc(next, same) {
			return
		}
		if i := slices.IndexFunc(all, same); i >= 0 {
			next = append(next, choice{all[i].target, fallback})
			return
		}
		next = append(next, choice{newTarget(a), fallback})
	}
	for _, a := range workers {
		add(a, false)
	}
	for _, a := range fallback {
		add(a, true)
	}
	return next
}
