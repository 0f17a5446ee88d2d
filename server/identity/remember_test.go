package identity

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatIsLearnedTakesNoLookup(t *testing.T) {
	in := func(d time.Duration) time.Time { return time.Now().Add(d) }
	tests := map[string]struct {
		token   string
		id      Identity
		expires time.Duration // zero for none
		ask     Request
		calls   int
	}{
		"a login":                              {"t", alice, 0, Request{Token: "t"}, 0},
		"a login, asked with a user_id":        {"t", alice, 0, Request{Token: "t", UserID: "@bob:hs"}, 0},
		"another token":                        {"t", alice, 0, Request{Token: "u"}, 1},
		"a token that has not ended":           {"t", alice, time.Minute, Request{Token: "t"}, 0},
		"a token that has ended":               {"t", alice, time.Second, Request{Token: "t"}, 1},
		"a token that had ended already":       {"t", alice, -time.Second, Request{Token: "t"}, 1},
		"nobody's":                             {"t", Identity{}, 0, Request{Token: "t"}, 1},
		"the user of another server":           {"t", Identity{UserID: "@alice:elsewhere"}, 0, Request{Token: "t"}, 1},
		"no user ID":                           {"t", Identity{UserID: "@alice\n:hs"}, 0, Request{Token: "t"}, 1},
		"a token's own word":                   {"t", Identity{UserID: "@alice:hs", Unverified: true}, 0, Request{Token: "t"}, 1},
		"a token that no request could carry":  {"t\n", alice, 0, Request{Token: "t"}, 1},
		"a device ID that no header could":     {"t", Identity{UserID: "@alice:hs", DeviceID: "A\nB"}, 0, Request{Token: "t"}, 0},
		"a token that was unknown just before": {"known", alice, 0, Request{Token: "known"}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := answers(Identity{}, ErrUnknownToken, 0)
				c := newTestCache(t, next)
				c.home = newTestHome("hs")
				_, _ = c.Resolve(t.Context(), Request{Token: "known"})
				before := next.calls()
				var expires time.Time
				if test.expires != 0 {
					expires = in(test.expires)
				}
				c.Learn(test.token, test.id, expires)
				time.Sleep(time.Second)
				id, err := c.Resolve(t.Context(), test.ask)
				if calls := next.calls() - before; calls != test.calls || (err == nil) != (calls == 0) || err == nil && id.UserID != "@alice:hs" {
					t.Errorf("%+v, %v, %d calls, want %d", id, err, calls, test.calls)
				}
				if !visible(id.DeviceID) || !id.Expires.IsZero() {
					t.Errorf("%+v", id)
				}
			})
		})
	}
}

func TestWhatIsForgottenIsLookedUpAnew(t *testing.T) {
	tests := map[string]struct {
		forget func(*Cache)
		anew   string // the tokens that are looked up again: a1 and a2 are alice's, b1 bob's, as an application service's
	}{
		"nothing":                  {func(*Cache) {}, ""},
		"a token":                  {func(c *Cache) { c.Forget("a1") }, "a1"},
		"a user":                   {func(c *Cache) { c.ForgetUser("@alice:hs") }, "a1 a2"},
		"another user":             {func(c *Cache) { c.ForgetUser("@bob:hs") }, "b1"},
		"nobody known":             {func(c *Cache) { c.ForgetUser("@carol:hs"); c.Forget("c1") }, ""},
		"everything":               {func(c *Cache) { c.Flush() }, "a1 a2 b1 as"},
		"a token with a user_id":   {func(c *Cache) { c.Forget("as") }, "as"},
		"the user that user_id is": {func(c *Cache) { c.ForgetUser("@_irc:hs") }, "as"},
		"twice":                    {func(c *Cache) { c.Forget("a1"); c.Forget("a1"); c.ForgetUser("@bob:hs") }, "a1 b1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			next := &resolver{answer: func(_ context.Context, r Request) (Identity, error) {
				user, ok := map[string]string{"a1": "@alice:hs", "a2": "@alice:hs", "b1": "@bob:hs", "as": r.UserID}[r.Token]
				if !ok {
					return Identity{}, ErrUnknownToken
				}
				return Identity{UserID: user}, nil
			}}
			c := newTestCache(t, next)
			all := []Request{{Token: "a1"}, {Token: "a2"}, {Token: "b1"}, {Token: "as", UserID: "@_irc:hs"}}
			ask := func() (looked []string) {
				for _, r := range all {
					before := next.calls()
					_, _ = c.Resolve(t.Context(), r)
					if next.calls() > before {
						looked = append(looked, r.Token)
					}
				}
				return looked
			}
			ask()
			test.forget(c)
			if got := strings.Join(ask(), " "); got != test.anew {
				t.Errorf("looked up anew: %q, want %q", got, test.anew)
			}
			if again := ask(); again != nil {
				t.Errorf("looked up once more: %q", again)
			}
		})
	}
}

func TestALookupUnderWayWhenItsTokenEndsIsNotRemembered(t *testing.T) {
	tests := map[string]func(*Cache){
		"the token": func(c *Cache) { c.Forget("t") },
		"the user":  func(c *Cache) { c.ForgetUser("@alice:hs") },
		"all":       func(c *Cache) { c.Flush() },
	}
	for name, forget := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := answers(alice, nil, 100*time.Millisecond)
				c := newTestCache(t, next)
				time.AfterFunc(50*time.Millisecond, func() { forget(c) })
				for range 3 {
					if id, err := c.Resolve(t.Context(), Request{Token: "t"}); id != alice || err != nil {
						t.Errorf("%+v, %v", id, err)
					}
				}
				if next.calls() != 2 {
					t.Errorf("%d lookups", next.calls())
				}
			})
		})
	}
}

func TestWhoeverIsEnforcedIsRememberedForAShortTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := answers(alice, nil, 0)
		c := newTestCache(t, next, func(c *Config) { c.Enforce = true })
		for range 4 {
			_, _ = c.Resolve(t.Context(), Request{Token: "t"})
			time.Sleep(time.Minute)
		}
		if next.calls() != 2 {
			t.Errorf("%d lookups in four minutes", next.calls())
		}
	})
}

func TestATokenIsNotRememberedLongerThanItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := answers(Identity{}, nil, 0)
		next.answer = func(context.Context, Request) (Identity, error) {
			return Identity{UserID: "@alice:hs", Expires: time.Now().Add(5 * time.Minute)}, nil
		}
		c := newTestCache(t, next)
		for minute := range 11 {
			id, err := c.Resolve(t.Context(), Request{Token: "t"})
			if want := minute/5 + 1; err != nil || id != (Identity{UserID: "@alice:hs"}) || next.calls() != want {
				t.Errorf("minute %d: %+v, %v, %d lookups, want %d", minute, id, err, next.calls(), want)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestForgettingWhileEverybodyAsks(t *testing.T) {
	c := newTestCache(t, answers(alice, nil, 0))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 500 {
				switch i {
				case 0:
					c.Forget("t")
				case 1:
					c.ForgetUser("@alice:hs")
				case 2:
					c.Flush()
				case 3:
					c.Learn("t", alice, time.Time{})
				}
				if id, err := c.Resolve(t.Context(), Request{Token: "t"}); id != alice && !errors.Is(err, ErrBusy) {
					t.Errorf("%+v, %v", id, err)
				}
			}
		})
	}
	all.Wait()
}
