package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/sony/gobreaker/v2"
)

const (
	// tripAfter failures without a success between them, nobody is asked any more …
	tripAfter = 5
	// … for restFor; then a single attempt, for which no request waits, decides.
	restFor = 2 * time.Second
)

// errResting: repeated failure has opened the circuit breaker.
var errResting = fmt.Errorf("%w: it failed repeatedly and is not asked for a while", ErrUnavailable)

// breaker keeps requests from waiting for a service that fails.
type breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]
	probing atomic.Bool
	opened  prometheus.Counter
	// base ends attempts under way; each ends after limit.
	base  context.Context
	limit time.Duration
}

// surroundings are what the parts take from outside. base outlives requests; reg may be nil.
type surroundings struct {
	base context.Context
	reg  prometheus.Registerer
	log  *slog.Logger
}

func (s surroundings) breaker(name string, limit time.Duration) *breaker {
	labels := prometheus.Labels{"resolver": name}
	b := &breaker{base: s.base, limit: limit, opened: promauto.With(s.reg).NewCounter(prometheus.CounterOpts{
		Name: "axon_identity_breaker_opened_total", Help: "Times that a resolver failed so often that it is not asked for a while.", ConstLabels: labels,
	})}
	b.circuit = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        name,
		Timeout:     restFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		IsSuccessful: func(err error) bool {
			return err == nil || errors.Is(err, ErrUnknownToken) || errors.Is(err, ErrNoToken)
		},
		IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			if from == gobreaker.StateClosed {
				b.opened.Inc()
			}
			s.changed(name, from, to)
		},
	})
	promauto.With(s.reg).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "axon_identity_breaker_state", Help: "Whether a resolver is asked: 0 yes, 1 once to see, 2 no.", ConstLabels: labels,
	}, func() float64 { return float64(b.circuit.State()) })
	return b
}

// changed says in the log what an operator would want to know.
func (s surroundings) changed(name string, from, to gobreaker.State) {
	switch {
	case from == gobreaker.StateClosed:
		s.log.Warn("identity: a resolver failed repeatedly and is not asked for a while", "resolver", name)
	case to == gobreaker.StateClosed:
		s.log.Info("identity: a resolver answers again", "resolver", name)
	default:
		s.log.Debug("identity: a resolver that failed is tried", "resolver", name, "state", to.String())
	}
}

// do calls f, unless too many calls failed; then it gives errResting at once, and has probe find out, now and then, in the
// background.
func (b *breaker) do(f func() error, probe func(context.Context) error) error {
	switch b.circuit.State() {
	case gobreaker.StateClosed:
		return b.execute(f)
	case gobreaker.StateHalfOpen:
		if b.probing.CompareAndSwap(false, true) {
			go b.attempt(probe)
		}
	}
	return errResting
}

// attempt contains panics, which have no request to end.
func (b *breaker) attempt(probe func(context.Context) error) {
	defer b.probing.Store(false)
	defer func() { _ = recover() }()
	ctx, cancel := context.WithTimeout(b.base, b.limit)
	defer cancel()
	_ = b.execute(func() error { return probe(ctx) })
}

func (b *breaker) execute(f func() error) error {
	_, err := b.circuit.Execute(func() (struct{}, error) { return struct{}{}, f() })
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return errResting
	}
	return err
}
