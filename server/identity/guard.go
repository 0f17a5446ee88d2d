package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

const (
	// maxTries bounds the calls of one lookup that end in faults of the server.
	maxTries = 3
	// firstPause is halved or made half as long again at random, so that lookups that failed together part, and doubles.
	firstPause = 25 * time.Millisecond
)

// guarded is a Resolver behind retries and a circuit breaker.
type guarded struct {
	name    string
	next    Resolver
	breaker *breaker
	retries prometheus.Counter
}

func (s surroundings) guard(name string, next Resolver, limit time.Duration) *guarded {
	return &guarded{name, next, s.breaker(name, limit), promauto.With(s.reg).NewCounter(prometheus.CounterOpts{
		Name: "axon_identity_retries_total", Help: "Calls repeated because a server had failed (HTTP status 5xx).",
		ConstLabels: prometheus.Labels{"resolver": name},
	})}
}

// Resolve gives what the next one gives, or errResting.
func (g *guarded) Resolve(ctx context.Context, r Request) (id Identity, err error) {
	err = g.breaker.do(func() error {
		id, err = g.patiently(ctx, r)
		return err
	}, func(ctx context.Context) error {
		_, err := g.next.Resolve(ctx, r)
		return err
	})
	if errors.Is(err, errResting) {
		return Identity{}, fmt.Errorf("%s: %w", g.name, err)
	}
	return id, err
}

// patiently repeats calls that end in a server's fault as long as ctx leaves time.
func (g *guarded) patiently(ctx context.Context, r Request) (Identity, error) {
	var last error
	id, err := backoff.Retry(ctx, func() (Identity, error) {
		id, err := g.next.Resolve(ctx, r)
		if last = err; err != nil && !errors.Is(err, errFault) {
			return Identity{}, backoff.Permanent(err)
		}
		return id, err
	},
		backoff.WithBackOff(&backoff.ExponentialBackOff{
			InitialInterval: firstPause, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: time.Second,
		}),
		backoff.WithMaxTries(maxTries),
		backoff.WithMaxElapsedTime(left(ctx)),
		backoff.WithNotify(func(error, time.Duration) { g.retries.Inc() }))
	if err != nil {
		return Identity{}, last // not the context's: what happened says more
	}
	return id, nil
}

// left is how long ctx goes on; zero, which backoff takes for no limit, where it has no end.
func left(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return max(time.Until(end), 1)
}
