package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// resolver counts the questions and answers them with a function.
type resolver struct {
	answer func(context.Context, Request) (Identity, error)
	mu     sync.Mutex
	asked  []Request
}

func (r *resolver) Resolve(ctx context.Context, q Request) (Identity, error) {
	r.mu.Lock()
	r.asked = append(r.asked, q)
	r.mu.Unlock()
	return r.answer(ctx, q)
}

func (r *resolver) calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.asked)
}

// answers is a resolver with one answer, given after a while unless the caller's patience ends first.
func answers(id Identity, err error, after time.Duration) *resolver {
	return &resolver{answer: func(ctx context.Context, _ Request) (Identity, error) {
		select {
		case <-time.After(after):
			return id, err
		case <-ctx.Done():
			return Identity{}, fmt.Errorf("test: %w: %w", ErrUnavailable, ctx.Err())
		}
	}}
}

func newTestCache(t testing.TB, next Resolver, change ...func(*Config)) *Cache {
	t.Helper()
	config := DefaultConfig()
	for _, f := range change {
		f(&config)
	}
	c, err := NewCache(config, next, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

var alice = Identity{UserID: "@alice:hs", DeviceID: "A"}

func TestManyRequestsOfOneNewTokenAreOneLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := answers(alice, nil, 5*time.Millisecond)
		c := newTestCache(t, next)
		var all sync.WaitGroup
		for i := range 64 {
			all.Go(func() {
				time.Sleep(time.Duration(i%7) * time.Millisecond) // some while it is under way, some after
				if id, err := c.Resolve(t.Context(), Request{Token: "t"}); id != alice || err != nil {
					t.Errorf("%+v, %v", id, err)
				}
			})
		}
		all.Wait()
		if next.calls() != 1 {
			t.Errorf("%d lookups", next.calls())
		}
	})
}

func TestAnswersAreRememberedForTheirTime(t *testing.T) {
	tests := map[string]struct {
		err  error
		kept time.Duration
	}{
		"a user":             {nil, time.Hour},
		"an unknown token":   {ErrUnknownToken, 10 * time.Second},
		"a forbidden user":   {ErrForbidden, 10 * time.Second},
		"a locked user":      {ErrUserLocked, time.Second},
		"no answer, never":   {ErrUnavailable, 0},
		"an error, not ours": {errors.New("odd"), 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := answers(Identity{}, test.err, 0)
				if test.err == nil {
					next = answers(alice, nil, 0)
				}
				c := newTestCache(t, next)
				ask := func(calls int) {
					t.Helper()
					if _, err := c.Resolve(t.Context(), Request{Token: "t"}); !errors.Is(err, test.err) {
						t.Errorf("error %v, want %v", err, test.err)
					}
					if next.calls() != calls {
						t.Errorf("%d lookups, want %d", next.calls(), calls)
					}
				}
				ask(1)
				if test.kept > 0 {
					time.Sleep(test.kept - time.Millisecond)
					ask(1)
					time.Sleep(time.Millisecond)
				}
				ask(2)
			})
		})
	}
}

func TestALookupOutlivesTheCallerWhoBeganIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := answers(alice, nil, 100*time.Millisecond)
		c := newTestCache(t, next)
		first, leave := context.WithCancel(t.Context())
		var second sync.WaitGroup
		second.Go(func() {
			time.Sleep(10 * time.Millisecond)
			if id, err := c.Resolve(t.Context(), Request{Token: "t"}); id != alice || err != nil {
				t.Errorf("the second: %+v, %v", id, err)
			}
		})
		time.AfterFunc(20*time.Millisecond, leave)
		start := time.Now()
		_, err := c.Resolve(first, Request{Token: "t"})
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) || time.Since(start) != 20*time.Millisecond {
			t.Errorf("the first left with %v after %s", err, time.Since(start))
		}
		second.Wait()
		if next.calls() != 1 {
			t.Errorf("%d lookups", next.calls())
		}
	})
}

func TestNobodyWaitsLongerThanTheTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCache(t, answers(alice, nil, time.Hour))
		start := time.Now()
		if _, err := c.Resolve(t.Context(), Request{Token: "t"}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("error %v", err)
		}
		if waited := time.Since(start); waited != 500*time.Millisecond {
			t.Errorf("waited %s", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := c.Resolve(ctx, Request{Token: "t"}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("a caller with less time: %v", err)
		}
		time.Sleep(time.Second) // let the lookup end
	})
}

func TestLookupsBeyondTheBoundAreNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := answers(alice, nil, 100*time.Millisecond)
		c := newTestCache(t, next, func(c *Config) { c.MaxInFlight = 3 })
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() { _, _ = c.Resolve(t.Context(), Request{Token: fmt.Sprint(i)}) })
		}
		synctest.Wait()
		start := time.Now()
		if _, err := c.Resolve(t.Context(), Request{Token: "late"}); !errors.Is(err, ErrBusy) || time.Since(start) != 0 {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		all.Wait()
		if s := c.Stats(); next.calls() != 3 || s.Dropped != 3 || s.InFlight != 0 {
			t.Errorf("%d lookups, %+v", next.calls(), s)
		}
	})
}

func TestAPanicIsNoAnswer(t *testing.T) {
	c := newTestCache(t, &resolver{answer: func(context.Context, Request) (Identity, error) { panic("odd") }})
	for range 2 {
		if _, err := c.Resolve(t.Context(), Request{Token: "t"}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("error %v", err)
		}
	}
	if s := c.Stats(); s.Panics != 2 || s.InFlight != 0 {
		t.Errorf("%+v", s)
	}
}

func TestMasquerading(t *testing.T) {
	// What Synapse does: "as" is an application service's token, any other a user's.
	synapse := func(_ context.Context, r Request) (Identity, error) {
		switch {
		case r.Token != "as":
			return alice, nil
		case r.UserID == "":
			return Identity{UserID: "@irc:hs"}, nil
		case strings.HasPrefix(r.UserID, "@_irc_"):
			return Identity{UserID: r.UserID}, nil
		}
		return Identity{}, ErrForbidden
	}
	type ask struct{ token, userID, want string }
	tests := map[string]struct {
		asks  []ask
		calls int
	}{
		"an application service is each of its users": {[]ask{
			{"as", "", "@irc:hs"},
			{"as", "@_irc_a:hs", "@_irc_a:hs"},
			{"as", "@_irc_b:hs", "@_irc_b:hs"},
			{"as", "", "@irc:hs"},
			{"as", "@_irc_a:hs", "@_irc_a:hs"},
			{"as", "@alice:hs", ""},
			{"as", "@alice:hs", ""},
		}, 4},
		"a user cannot fill the cache by making user_ids up": {[]ask{
			{"t", "@1:hs", "@alice:hs"}, {"t", "@2:hs", "@alice:hs"}, {"t", "@3:hs", "@alice:hs"}, {"t", "", "@alice:hs"},
		}, 1},
		"a user who names himself is himself": {[]ask{
			{"t", "@alice:hs", "@alice:hs"}, {"t", "@alice:hs", "@alice:hs"}, {"t", "", "@alice:hs"}, {"t", "@b:hs", "@alice:hs"},
		}, 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			next := &resolver{answer: synapse}
			c := newTestCache(t, next)
			for _, a := range test.asks {
				if id, _ := c.Resolve(t.Context(), Request{Token: a.token, UserID: a.userID}); id.UserID != a.want {
					t.Errorf("%s as %q: %q, want %q", a.token, a.userID, id.UserID, a.want)
				}
			}
			if next.calls() != test.calls {
				t.Errorf("%d lookups, want %d", next.calls(), test.calls)
			}
		})
	}
}

func TestMadeUpTokensPushNobodyOut(t *testing.T) {
	c := newTestCache(t, &resolver{answer: func(_ context.Context, r Request) (Identity, error) {
		if r.Token == "good" {
			return alice, nil
		}
		return Identity{}, ErrUnknownToken
	}}, func(c *Config) { c.Cache.SizeMiB = 1 })
	_, _ = c.Resolve(t.Context(), Request{Token: "good"})
	for i := range 20_000 {
		_, _ = c.Resolve(t.Context(), Request{Token: fmt.Sprint(i)})
	}
	before := c.Stats()
	if id, err := c.Resolve(t.Context(), Request{Token: "good"}); id != alice || err != nil || c.Stats().Hits != before.Hits+1 {
		t.Errorf("%+v, %v, %+v", id, err, c.Stats())
	}
	if before.Bytes > 2<<20 {
		t.Errorf("%d bytes", before.Bytes)
	}
}

func TestTheCacheHoldsNoTokens(t *testing.T) {
	c := newTestCache(t, answers(alice, nil, 0))
	_, _ = c.Resolve(t.Context(), Request{Token: "syt_secret"})
	for it := c.positive.Iterator(); it.SetNext(); {
		e, err := it.Value()
		if err != nil || strings.Contains(e.Key()+string(e.Value()), "secret") {
			t.Errorf("entry %q, %v", e.Key(), err)
		}
	}
	if other := newTestCache(t, nil); other.key("syt_secret", "") == c.key("syt_secret", "") {
		t.Error("two processes have the same keys")
	}
}

func TestStats(t *testing.T) {
	c := newTestCache(t, &resolver{answer: func(_ context.Context, r Request) (Identity, error) {
		if r.Token == "bad" {
			return Identity{}, ErrUnknownToken
		}
		return alice, nil
	}})
	for _, token := range []string{"good", "good", "good", "bad", "bad", ""} {
		_, _ = c.Resolve(t.Context(), Request{Token: token})
	}
	got := c.Stats()
	got.Bytes = 0
	if diff := cmp.Diff(Stats{Entries: 2, Hits: 2, NegativeHits: 1, Misses: 2}, got); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}
