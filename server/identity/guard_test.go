package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func testSurroundings(t *testing.T, reg prometheus.Registerer) surroundings {
	t.Helper()
	return surroundings{t.Context(), reg, slog.New(slog.DiscardHandler)}
}

// inTurn gives one answer after the other, and the last for ever.
func inTurn(answers ...error) *resolver {
	var mu sync.Mutex
	return &resolver{answer: func(context.Context, Request) (Identity, error) {
		mu.Lock()
		defer mu.Unlock()
		err := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		if err != nil {
			return Identity{}, err
		}
		return alice, nil
	}}
}

func TestAServersFaultIsNotTheLastWord(t *testing.T) {
	fault := fmt.Errorf("%w: HTTP status 503", errFault)
	tests := map[string]struct {
		answers []error
		err     error
		calls   int
	}{
		"a fault, then an answer":              {[]error{fault, nil}, nil, 2},
		"two faults, then an answer":           {[]error{fault, fault, nil}, nil, 3},
		"faults for ever":                      {[]error{fault}, errFault, 3},
		"a fault, then a refusal":              {[]error{fault, ErrUserLocked}, ErrUserLocked, 2},
		"a refusal is one":                     {[]error{ErrUnknownToken, nil}, ErrUnknownToken, 1},
		"nobody there is no fault of a moment": {[]error{errUnreachable, nil}, errUnreachable, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := inTurn(test.answers...)
				g := testSurroundings(t, nil).guard("whoami", next, time.Second)
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				defer cancel()
				start := time.Now()
				id, err := g.Resolve(ctx, Request{Token: "t"})
				if !errors.Is(err, test.err) || (err == nil) != (id == alice) || next.calls() != test.calls {
					t.Errorf("%+v, %v, %d calls; want %v, %d", id, err, next.calls(), test.err, test.calls)
				}
				waited := time.Since(start)
				if most := time.Duration(test.calls-1) * 3 * firstPause; waited > most || test.calls > 1 && waited == 0 {
					t.Errorf("waited %s", waited)
				}
				if n := testutil.ToFloat64(g.retries); n != float64(test.calls-1) {
					t.Errorf("%v retries counted", n)
				}
			})
		})
	}
}

func TestRetriesStayWithinTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &resolver{answer: func(context.Context, Request) (Identity, error) {
			time.Sleep(15 * time.Millisecond)
			return Identity{}, errFault
		}}
		g := testSurroundings(t, nil).guard("whoami", next, time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := g.Resolve(ctx, Request{Token: "t"}); !errors.Is(err, errFault) || time.Since(start) > 20*time.Millisecond || next.calls() != 1 {
			t.Errorf("%v after %s and %d calls", err, time.Since(start), next.calls())
		}
	})
}

// hangs is a resolver that does not answer until the time is over, or until it is well.
type hangs struct {
	mu    sync.Mutex
	well  bool
	calls int
}

func (h *hangs) Resolve(ctx context.Context, _ Request) (Identity, error) {
	h.mu.Lock()
	h.calls++
	well := h.well
	h.mu.Unlock()
	if well {
		return alice, nil
	}
	<-ctx.Done()
	return Identity{}, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
}

func (h *hangs) asked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls
}

func (h *hangs) recover() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.well = true
}

func TestWhenWhoamiHangsNobodyWaitsForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		next := &hangs{}
		g := testSurroundings(t, reg).guard("whoami", next, 500*time.Millisecond)
		c := newTestCache(t, g)
		token := 0
		wait := func() time.Duration { // of one request with a new token
			token++
			start := time.Now()
			if id, err := c.Resolve(t.Context(), Request{Token: fmt.Sprint(token)}); err == nil && id != alice {
				t.Errorf("%+v", id)
			}
			return time.Since(start)
		}
		state := func(want float64) {
			t.Helper()
			if got := float64(g.breaker.circuit.State()); got != want {
				t.Errorf("state %v, want %v", got, want)
			}
		}
		for range tripAfter {
			if w := wait(); w != 500*time.Millisecond {
				t.Errorf("waited %s, the time-out is 500ms", w)
			}
		}
		state(2)
		for range 1000 { // 20 s, and ten attempts to see
			if w := wait(); w != 0 {
				t.Errorf("waited %s though the breaker is open", w)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if n := next.asked() - tripAfter; n < 5 || n > 10 {
			t.Errorf("%d attempts in 20 s", n)
		}
		next.recover()
		time.Sleep(restFor + 500*time.Millisecond)
		wait() // has it tried
		synctest.Wait()
		state(0)
		before := next.asked()
		if id, err := c.Resolve(t.Context(), Request{Token: "new"}); id != alice || err != nil || next.asked() != before+1 {
			t.Errorf("afterwards: %+v, %v", id, err)
		}
		if n := testutil.ToFloat64(g.breaker.opened); n != 1 {
			t.Errorf("opened %v times", n)
		}
	})
}

func TestManyWaitForTheTimeOutOnceAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testSurroundings(t, nil).guard("whoami", &hangs{}, 500*time.Millisecond)
		c := newTestCache(t, g)
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				start := time.Now()
				_, err := c.Resolve(t.Context(), Request{Token: fmt.Sprint(i)})
				waited := time.Since(start)
				if !errors.Is(err, ErrUnavailable) || waited > 500*time.Millisecond || i > 505 && waited != 0 {
					t.Errorf("request %d waited %s: %v", i, waited, err)
				}
			})
		}
		all.Wait()
	})
}

func TestABreakerOpensForFailuresOnly(t *testing.T) {
	tests := map[string]struct {
		answers []error
		open    bool
	}{
		"refusals are answers":                 {[]error{ErrUnknownToken}, false},
		"a caller who left is no failure":      {[]error{context.Canceled}, false},
		"no answers are failures":              {[]error{ErrUnavailable}, true},
		"an answer in between begins anew":     {[]error{ErrUnavailable, ErrUnavailable, ErrUnavailable, ErrUnavailable, nil, ErrUnavailable, ErrUnavailable, ErrUnavailable, ErrUnavailable, ErrUserLocked}, false},
		"errors that are not ours are, too":    {[]error{errors.New("odd")}, true},
		"the same with answers before the row": {[]error{nil, nil, nil, ErrUnavailable}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := testSurroundings(t, nil).guard("whoami", inTurn(test.answers...), time.Second)
			for range 10 {
				_, _ = g.Resolve(t.Context(), Request{Token: "t"})
			}
			if _, err := g.Resolve(t.Context(), Request{Token: "t"}); errors.Is(err, errResting) != test.open {
				t.Errorf("open %v, want %v: %v", errors.Is(err, errResting), test.open, err)
			}
		})
	}
}

func TestAPanicOpensTheBreakerToo(t *testing.T) {
	c := newTestCache(t, testSurroundings(t, nil).guard("whoami", &resolver{answer: func(context.Context, Request) (Identity, error) { panic("odd") }}, time.Second))
	for range tripAfter {
		_, _ = c.Resolve(t.Context(), Request{Token: "t"})
	}
	if _, err := c.Resolve(t.Context(), Request{Token: "t"}); !errors.Is(err, errResting) || c.Stats().Panics != tripAfter {
		t.Errorf("%v, %+v", err, c.Stats())
	}
}
