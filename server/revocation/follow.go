package revocation

import (
	"context"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// follower keeps one session after the other.
type follower struct {
	Options
	timing  timing
	metrics *metrics
	revoker *revoker
	// down is when the outage began; zero while connected, and before the first attempt.
	down time.Time
	said string // the reason that was given for it
}

func newFollower(ctx context.Context, o Options, t timing) *follower {
	m := newMetrics(o.Registerer)
	return &follower{
		Options: o, timing: t, metrics: m,
		revoker: &revoker{ctx: ctx, forgetter: o.Forgetter, timing: t, metrics: m, log: o.Log},
	}
}

// run holds sessions until ctx ends.
func (f *follower) run(ctx context.Context) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = 100*time.Millisecond, 5*time.Second
	f.metrics.connected.Set(0) // an earlier Follow may have left its own
	for {
		err := f.session(ctx, wait.Reset)
		f.metrics.connected.Set(0)
		if ctx.Err() != nil {
			return
		}
		f.lost(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait.NextBackOff()):
		}
	}
}

// connected begins a session.
func (f *follower) connected() {
	f.metrics.connected.Set(1)
	interrupted := !f.down.IsZero()
	var attributes []any
	if interrupted {
		attributes = []any{slog.String("after", time.Since(f.down).Round(time.Millisecond).String())}
	}
	f.Log.Info("connected to synapse's redis: logouts are noticed at once",
		append(attributes, slog.String("address", f.Address), slog.String("channel", f.Channel))...)
	f.down, f.said = time.Time{}, ""
	f.revoker.connected(interrupted)
}

// lost notes that there is no session. Every attempt fails for the same reason most of the time: it is said once.
func (f *follower) lost(err error) {
	if f.down.IsZero() {
		f.down = time.Now()
	}
	reason := err.Error()
	if reason == f.said {
		f.Log.Debug("synapse's redis still cannot be reached", "address", f.Address, "error", reason)
		return
	}
	f.said = reason
	f.Log.Warn("no connection to synapse's redis: logouts are noticed only when entries expire (identity.cache.ttl); trying again for ever",
		"address", f.Address, "error", reason)
}
