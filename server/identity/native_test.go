package identity

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestNative(t *testing.T) {
	tests := map[string]struct {
		token string
		want  string
	}{
		"a token that Synapse made":              {"syt_YWxpY2U_GsCLgTkhcdrjqAfMBNSU_2gzmXv", "@alice:hs"},
		"a localpart whose base64 has a slash":   {"syt_Pz8/Pz4_GsCLgTkhcdrjqAfMBNSU_2gzmXv", "@????>:hs"},
		"a localpart that a historical user has": {"syt_SsO8cmdlbi/DqQ_GsCLgTkhcdrjqAfMBNSU_2gzmXv", "@Jürgen/é:hs"},
		"no localpart":                           {"syt__GsCLgTkhcdrjqAfMBNSU_2gzmXv", ""},
		"padding, which Synapse leaves out":      {"syt_YWxpY2U=_a_b", ""},
		"bits that base64 leaves over":           {"syt_YWxpY2V_a_b", ""},
		"no base64":                              {"syt_%%%_a_b", ""},
		"no random part":                         {"syt_YWxpY2U__b", ""},
		"no checksum":                            {"syt_YWxpY2U_a_", ""},
		"cut off":                                {"syt_YWxpY2U_a", ""},
		"a localpart with another server":        {"syt_YWxpY2U6ZWxzZXdoZXJl_a_b", ""}, // alice:elsewhere
		"a localpart that would end a header":    {"syt_YQ0KWDogYg_a_b", ""},           // a\r\nX: b
		"a refresh token":                        {"syr_YWxpY2U_a_b", ""},
		"a token of the authentication service":  {"mat_abc_def", ""},
		"nothing":                                {"", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			id, err := native{newTestHome("hs")}.Resolve(t.Context(), Request{Token: test.token})
			if id.UserID != test.want || id.Unverified != (err == nil) || (err == nil) != (test.want != "") {
				t.Errorf("%+v, %v, want %q", id, err, test.want)
			}
			if err != nil && (!errors.Is(err, ErrUnavailable) || !errors.Is(err, errElsewhere)) {
				t.Errorf("error %v", err)
			}
		})
	}
	if id, err := (native{&home{}}).Resolve(t.Context(), Request{Token: "syt_YWxpY2U_a_b"}); err == nil {
		t.Errorf("without the server's name: %+v", id)
	}
}

const aliceNative = "syt_YWxpY2U_GsCLgTkhcdrjqAfMBNSU_2gzmXv"

func TestATokensOwnWordIsVerifiedInTheBackground(t *testing.T) {
	tests := map[string]struct {
		links  func(r Resolver) []Resolver
		verify bool
		truth  Identity
		err    error
		first  string // what the first request hears
		second string // what those after the verification hear
		calls  int
	}{
		"a true one is remembered with its device": {
			func(r Resolver) []Resolver { return []Resolver{native{newTestHome("hs")}, r} }, true,
			alice, nil, "@alice:hs", "@alice:hs", 1,
		},
		"a wrong one is corrected": {
			func(r Resolver) []Resolver { return []Resolver{native{newTestHome("hs")}, r} }, true,
			Identity{UserID: "@bob:hs"},
			nil, "@alice:hs", "@bob:hs", 1,
		},
		"a made-up one has no user any more": {
			func(r Resolver) []Resolver { return []Resolver{native{newTestHome("hs")}, r} }, true,
			Identity{},
			ErrUnknownToken, "@alice:hs", "", 1,
		},
		"without an answer it stays as it is": {
			func(r Resolver) []Resolver { return []Resolver{native{newTestHome("hs")}, r} }, true,
			Identity{},
			ErrUnavailable, "@alice:hs", "@alice:hs", 11,
		},
		"it need not be verified": {
			func(r Resolver) []Resolver { return []Resolver{native{newTestHome("hs")}, r} }, false,
			alice, nil, "@alice:hs", "@alice:hs", 0,
		},
		"nobody is left who could": {
			func(Resolver) []Resolver { return []Resolver{native{newTestHome("hs")}} }, true,
			alice, nil, "@alice:hs", "@alice:hs", 0,
		},
		"it is the last resort where it is the last of the chain": {
			func(r Resolver) []Resolver { return []Resolver{r, native{newTestHome("hs")}} }, true,
			Identity{},
			ErrUnavailable, "@alice:hs", "@alice:hs", 11,
		},
		"it does not overrule those before it": {
			func(r Resolver) []Resolver { return []Resolver{r, native{newTestHome("hs")}} }, true,
			Identity{},
			ErrUnknownToken, "", "", 1,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := answers(test.truth, test.err, 0)
				c := newTestCache(t, chain{test.links(next), newTestHome("hs"), test.verify})
				ask := func(want string) {
					t.Helper()
					if id, _ := c.Resolve(t.Context(), Request{Token: aliceNative}); id.UserID != want {
						t.Errorf("user %q, want %q", id.UserID, want)
					}
					synctest.Wait()
				}
				ask(test.first)
				for range 10 {
					ask(test.second)
				}
				if next.calls() != test.calls {
					t.Errorf("%d lookups, want %d", next.calls(), test.calls)
				}
			})
		})
	}
}

func TestNobodyWaitsForTheVerification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := answers(alice, nil, 100*time.Millisecond)
		c := newTestCache(t, chain{[]Resolver{native{newTestHome("hs")}, next}, newTestHome("hs"), true})
		start := time.Now()
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				if id, err := c.Resolve(t.Context(), Request{Token: aliceNative}); id.UserID != "@alice:hs" || err != nil {
					t.Errorf("%+v, %v", id, err)
				}
			})
		}
		all.Wait()
		waited := time.Since(start)
		synctest.Wait() // what happens in the background has begun
		if waited != 0 || next.calls() != 1 {
			t.Errorf("waited %s, %d lookups", waited, next.calls())
		}
		time.Sleep(time.Second)
		if id, _ := c.Resolve(t.Context(), Request{Token: aliceNative}); id != alice || c.Stats().Hits != 1 {
			t.Errorf("afterwards: %+v, %+v", id, c.Stats())
		}
	})
}

func FuzzNative(f *testing.F) {
	f.Add(aliceNative)
	f.Add("syt_YQ0KWDogYg_a_b")
	n := native{newTestHome("hs")}
	f.Fuzz(func(t *testing.T, token string) {
		id, err := n.Resolve(t.Context(), Request{Token: token})
		if err == nil && (!id.Unverified || !validUserID(id.UserID) || !n.home.has(id.UserID)) {
			t.Fatalf("%+v", id)
		}
	})
}
