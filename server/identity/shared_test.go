package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

const sharedSecret = "what all Axons of one homeserver know"

// newReplica is one of several Axons that share a Redis, and have the same resolver behind them.
func newReplica(t testing.TB, address string, next Resolver, change ...func(*Config, *RedisConfig)) *Cache {
	t.Helper()
	config := DefaultConfig()
	config.Timeout = 5 * time.Second // of a busy machine
	c := RedisConfig{Address: address, SecretPath: written(t, "secret", sharedSecret), Timeout: time.Second}
	for _, f := range change {
		f(&config, &c)
	}
	cache := newTestCache(t, next, func(c *Config) { *c = config })
	shared, err := newShared(c, "", config.life(), surroundings{context.Background(), nil, slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	cache.shared, cache.home = shared, newTestHome("hs")
	t.Cleanup(func() { _ = shared.close() })
	return cache
}

// settle waits until all that is to be shared is.
func settle(caches ...*Cache) {
	for _, c := range caches {
		c.shared.under.Wait()
	}
}

func TestWhatOneAxonKnowsAllKnow(t *testing.T) {
	guest := Identity{UserID: "@1:hs", DeviceID: "G", Guest: true}
	ofUser := func(_ context.Context, r Request) (Identity, error) {
		switch {
		case r.Token == "as" && r.UserID != "":
			return Identity{UserID: r.UserID}, nil
		case r.Token == "as":
			return Identity{UserID: "@irc:hs"}, nil
		case r.Token == "guest":
			return guest, nil
		case r.Token == "short":
			return Identity{UserID: "@alice:hs", Expires: time.Now().Add(time.Minute)}, nil
		case r.Token == "over":
			return Identity{UserID: "@alice:hs", Expires: time.Now()}, nil
		case r.Token == "down":
			return Identity{}, ErrUnavailable
		case r.Token == "bad":
			return Identity{}, ErrUnknownToken
		}
		return alice, nil
	}
	tests := map[string]struct {
		first  []Request // what the first Axon is asked
		then   func(first, second *Cache)
		second Request
		want   Identity
		calls  int // of the second
	}{
		"a token":                      {[]Request{{Token: "t"}}, nil, Request{Token: "t"}, alice, 0},
		"another token":                {[]Request{{Token: "t"}}, nil, Request{Token: "u"}, alice, 1},
		"a guest's token":              {[]Request{{Token: "guest"}}, nil, Request{Token: "guest"}, guest, 0},
		"a token that has an end":      {[]Request{{Token: "short"}}, nil, Request{Token: "short"}, Identity{UserID: "@alice:hs"}, 0},
		"a token that had its end":     {[]Request{{Token: "over"}}, nil, Request{Token: "over"}, Identity{UserID: "@alice:hs"}, 1},
		"an unknown token is not":      {[]Request{{Token: "bad"}}, nil, Request{Token: "bad"}, Identity{}, 1},
		"that there was no answer":     {[]Request{{Token: "down"}}, nil, Request{Token: "down"}, Identity{}, 1},
		"an application service":       {[]Request{{Token: "as"}}, nil, Request{Token: "as"}, Identity{UserID: "@irc:hs"}, 0},
		"one of its users":             {[]Request{{Token: "as"}, {Token: "as", UserID: "@_a:hs"}}, nil, Request{Token: "as", UserID: "@_a:hs"}, Identity{UserID: "@_a:hs"}, 0},
		"another of its users":         {[]Request{{Token: "as"}, {Token: "as", UserID: "@_a:hs"}}, nil, Request{Token: "as", UserID: "@_b:hs"}, Identity{UserID: "@_b:hs"}, 1},
		"a user, whatever user_id":     {[]Request{{Token: "t", UserID: "@x:hs"}}, nil, Request{Token: "t", UserID: "@y:hs"}, alice, 0},
		"what was learned":             {nil, func(first, _ *Cache) { first.Learn("t", alice, time.Time{}) }, Request{Token: "t"}, alice, 0},
		"that a token ended":           {[]Request{{Token: "t"}}, func(first, _ *Cache) { first.Forget("t") }, Request{Token: "t"}, alice, 1},
		"that a user's tokens ended":   {[]Request{{Token: "t"}}, func(first, _ *Cache) { first.ForgetUser("@alice:hs") }, Request{Token: "t"}, alice, 1},
		"the end is another's":         {[]Request{{Token: "t"}}, func(first, _ *Cache) { first.Forget("u"); first.ForgetUser("@bob:hs") }, Request{Token: "t"}, alice, 0},
		"an application service's end": {[]Request{{Token: "as", UserID: "@_a:hs"}}, func(first, _ *Cache) { first.Forget("as") }, Request{Token: "as", UserID: "@_a:hs"}, Identity{UserID: "@_a:hs"}, 1},
		"what one forgets for itself":  {[]Request{{Token: "t"}}, func(first, _ *Cache) { first.Flush() }, Request{Token: "t"}, alice, 0},
		"what came after an end": {[]Request{{Token: "t"}}, func(first, second *Cache) {
			first.ForgetUser("@alice:hs")
			first.Learn("t", alice, time.Time{})
		}, Request{Token: "t"}, alice, 0},
	}
	redis := startRedis(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := redis.client.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			a, b := &resolver{answer: ofUser}, &resolver{answer: ofUser}
			first, second := newReplica(t, "unix:"+redis.socket, a), newReplica(t, "unix:"+redis.socket, b)
			for _, r := range test.first {
				_, _ = first.Resolve(t.Context(), r)
			}
			settle(first)
			if test.then != nil {
				test.then(first, second)
				settle(first)
			}
			got, _ := second.Resolve(t.Context(), test.second)
			if got.Expires = (time.Time{}); got != test.want || b.calls() != test.calls {
				t.Errorf("%+v, %d lookups; want %+v, %d", got, b.calls(), test.want, test.calls)
			}
			settle(second)
			_, _ = second.Resolve(t.Context(), test.second)
			if again := b.calls() - test.calls; again > 0 && test.want != (Identity{}) && test.second.Token != "over" {
				t.Error("what was shared is not remembered")
			}
		})
	}
}

func TestALookupUnderWayWhenItsTokenEndsElsewhereIsNotShared(t *testing.T) {
	redis := startRedis(t)
	asked, goOn := make(chan struct{}), make(chan struct{})
	first := newReplica(t, "unix:"+redis.socket, &resolver{answer: func(context.Context, Request) (Identity, error) {
		close(asked)
		<-goOn
		return alice, nil
	}})
	next := answers(alice, nil, 0)
	second := newReplica(t, "unix:"+redis.socket, next)
	go func() {
		<-asked
		second.ForgetUser("@alice:hs")
		close(goOn)
	}()
	if id, err := first.Resolve(t.Context(), Request{Token: "t"}); id != alice || err != nil {
		t.Fatalf("%+v, %v", id, err)
	}
	settle(first)
	if _, _ = second.Resolve(t.Context(), Request{Token: "t"}); next.calls() != 1 {
		t.Errorf("%d lookups", next.calls())
	}
}

func TestWhereUsersAreEnforcedAFlushIsForAll(t *testing.T) {
	redis := startRedis(t)
	enforce := func(c *Config, _ *RedisConfig) { c.Enforce = true }
	first := newReplica(t, "unix:"+redis.socket, answers(alice, nil, 0), enforce)
	next := answers(alice, nil, 0)
	second := newReplica(t, "unix:"+redis.socket, next, enforce)
	_, _ = first.Resolve(t.Context(), Request{Token: "t"})
	settle(first)
	first.Flush()
	if _, _ = second.Resolve(t.Context(), Request{Token: "t"}); next.calls() != 1 {
		t.Errorf("%d lookups", next.calls())
	}
}

func TestRedisLearnsNothingAndIsNotBelieved(t *testing.T) {
	redis := startRedis(t)
	address := "unix:" + redis.socket
	next := answers(Identity{UserID: "@alice:hs", DeviceID: "DEVICE"}, nil, 0)
	first := newReplica(t, address, next)
	for _, token := range []string{"syt_secret", "another"} {
		_, _ = first.Resolve(t.Context(), Request{Token: token})
	}
	first.Forget("forgotten")
	first.ForgetUser("@bob:hs")
	settle(first)
	all := redis.everything(t)
	for k, v := range all {
		for _, plain := range []string{"secret", "another", "alice", "bob", "forgotten", "DEVICE", ":hs"} {
			if strings.Contains(k+v, plain) {
				t.Errorf("%q is in %q: %q", plain, k, v)
			}
		}
		if ttl := redis.client.TTL(t.Context(), k).Val(); ttl <= 0 && !strings.HasPrefix(k, "axon:n:") || ttl > time.Hour {
			t.Errorf("%s lives %s", k, ttl)
		}
	}
	entries := entriesOf(all)
	if len(entries) != 2 || len(all) != 5 {
		t.Fatalf("%d entries among %d keys", len(entries), len(all))
	}
	tests := map[string]struct {
		change  func(t *testing.T)
		another bool // the reader has another secret
		invalid float64
	}{
		"a value under another name": {func(t *testing.T) {
			t.Helper()
			redis.client.Set(t.Context(), entries[0], all[entries[1]], 0)
			redis.client.Set(t.Context(), entries[1], all[entries[0]], 0)
		}, false, 1},
		"a value with one bit changed": {func(t *testing.T) {
			t.Helper()
			for _, k := range entries {
				v := []byte(all[k])
				v[len(v)-1] ^= 1
				redis.client.Set(t.Context(), k, v, 0)
			}
		}, false, 1},
		"a value cut off": {func(t *testing.T) {
			t.Helper()
			for _, k := range entries {
				redis.client.Set(t.Context(), k, all[k][:10], 0)
			}
		}, false, 1},
		"nothing as value": {func(t *testing.T) {
			t.Helper()
			for _, k := range entries {
				redis.client.Set(t.Context(), k, "", 0)
			}
		}, false, 1},
		"a list in its place": {func(t *testing.T) {
			t.Helper()
			for _, k := range entries {
				redis.client.Del(t.Context(), k)
				redis.client.LPush(t.Context(), k, all[k])
			}
		}, false, 0},
		"another secret": {func(*testing.T) {}, true, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.change(t)
			next := answers(Identity{UserID: "@right:hs"}, nil, 0)
			second := newReplica(t, address, next, func(_ *Config, c *RedisConfig) {
				if test.another {
					c.SecretPath = written(t, "secret", "quite another secret")
				}
			})
			id, err := second.Resolve(t.Context(), Request{Token: "syt_secret"})
			if id.UserID != "@right:hs" || err != nil || next.calls() != 1 {
				t.Errorf("%+v, %v, %d lookups", id, err, next.calls())
			}
			if n := testutil.ToFloat64(second.shared.counts.invalid); n < test.invalid {
				t.Errorf("%v invalid values counted", n)
			}
		})
	}
}

func entriesOf(all map[string]string) (names []string) {
	for k := range all {
		if strings.HasPrefix(k, "axon:e:") {
			names = append(names, k)
		}
	}
	return names
}

// What is of a stranger's homeserver that shares the secret by mistake is not believed either.
func TestRedisNamesNoUsersOfOtherServers(t *testing.T) {
	redis := startRedis(t)
	first := newReplica(t, "unix:"+redis.socket, answers(Identity{UserID: "@alice:elsewhere"}, nil, 0))
	_, _ = first.Resolve(t.Context(), Request{Token: "t"})
	settle(first)
	next := answers(alice, nil, 0)
	if id, _ := newReplica(t, "unix:"+redis.socket, next).Resolve(t.Context(), Request{Token: "t"}); id != alice {
		t.Errorf("%+v", id)
	}
}

func TestRedisDownMeansOnlyMoreLookups(t *testing.T) {
	tests := map[string]struct {
		down  func(*testing.T, *realRedis)
		up    func(*testing.T, *realRedis)
		rests bool
	}{
		"it is gone":   {func(_ *testing.T, r *realRedis) { r.kill() }, nil, true},
		"it hangs":     {func(t *testing.T, r *realRedis) { t.Helper(); r.hang(t) }, func(t *testing.T, r *realRedis) { t.Helper(); r.goOn(t) }, true},
		"it is filled": {func(t *testing.T, r *realRedis) { t.Helper(); r.client.ConfigSet(t.Context(), "maxmemory", "1") }, nil, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			redis := startRedis(t)
			next := answers(alice, nil, 0)
			c := newReplica(t, "unix:"+redis.socket, next, func(_ *Config, c *RedisConfig) { c.Timeout = redisTimeout })
			_, _ = c.Resolve(t.Context(), Request{Token: "0"})
			settle(c)
			test.down(t, redis)
			for i := range 50 {
				token := fmt.Sprint(i + 1)
				for range 2 { // the second time from memory
					if id, err := c.Resolve(t.Context(), Request{Token: token}); id != alice || err != nil {
						t.Fatalf("%+v, %v", id, err)
					}
				}
				settle(c)
				c.Forget("x")
				c.ForgetUser("@x:hs")
			}
			if next.calls() != 51 {
				t.Errorf("%d lookups for 51 tokens", next.calls())
			}
			if err := c.shared.breaker.do(func() error { return nil }, c.shared.ping); errors.Is(err, errResting) != test.rests {
				t.Errorf("Redis rests, want %v: %v", test.rests, err)
			}
			if test.up == nil {
				return
			}
			test.up(t, redis)
			deadline := time.Now().Add(20 * time.Second)
			for i := 0; testutil.ToFloat64(c.shared.counts.writes.WithLabelValues("stored")) < 2; i++ {
				if time.Now().After(deadline) {
					t.Fatal("Redis is back, and nothing is shared")
				}
				_, _ = c.Resolve(t.Context(), Request{Token: fmt.Sprint("new", i)})
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
}

func TestRedisWithPasswordAndTLS(t *testing.T) {
	cert, key := certificate(t)
	port := freePort(t)
	redis := startRedis(t, "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no",
		"--user", "axon", "on", ">the-password", "~axon:*", "+@read", "+@write", "+@connection")
	tests := map[string]struct {
		change func(*RedisConfig)
		works  bool
	}{
		"all is right":                {func(*RedisConfig) {}, true},
		"a wrong password":            {func(c *RedisConfig) { c.PasswordPath = written(t, "p", "wrong") }, false},
		"nobody's certificate":        {func(c *RedisConfig) { c.CAPath = "" }, false},
		"plain, where TLS is spoken":  {func(c *RedisConfig) { c.TLS, c.CAPath = false, "" }, false},
		"a user who may do something": {func(c *RedisConfig) { c.Address, c.TLS, c.CAPath = "unix:"+redis.socket, false, "" }, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newReplica(t, "127.0.0.1:"+port, answers(alice, nil, 0), func(_ *Config, c *RedisConfig) {
				c.TLS, c.CAPath, c.Username, c.PasswordPath = true, cert, "axon", written(t, "p", "the-password\n")
				test.change(c)
			})
			_, at := c.shared.get(t.Context(), Request{Token: "t"})
			if works := at != never; works != test.works {
				t.Errorf("works: %v, want %v", works, test.works)
			}
		})
	}
}

func TestSealing(t *testing.T) {
	s, err := newSealer(sharedSecret)
	if err != nil {
		t.Fatal(err)
	}
	name := s.name(sharedEntry, "token", "@a:hs")
	for _, other := range []string{s.name(sharedEntry, "token@a:hs"), s.name(sharedToken, "token", "@a:hs"), s.name(sharedEntry, "token@a", ":hs")} {
		if name == other {
			t.Error("two things have one name")
		}
	}
	first, _ := s.seal(name, []byte("value"))
	second, _ := s.seal(name, []byte("value"))
	if string(first) == string(second) {
		t.Error("a value is sealed the same way twice")
	}
	if got, err := s.open(name, first); string(got) != "value" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := s.open(name+"x", first); err == nil {
		t.Errorf("under another name: %q", got)
	}
	if _, err := newSealer("short"); err == nil {
		t.Error("a short secret")
	}
}

func FuzzDecode(f *testing.F) {
	b, _ := entry{identity: alice}.encode(time.Now().Add(time.Hour * 24 * 365 * 100))
	f.Add(b)
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, b []byte) {
		if e, _, ok := decode(b); ok {
			_, _ = e.answer()
		}
	})
}
