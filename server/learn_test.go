package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/google/go-cmp/cmp"

	"axon/server/identity"
)

// memory is a Learner that forgets nothing.
type memory struct {
	mu      sync.Mutex
	tokens  map[string]identity.Identity
	expires map[string]time.Time
}

func newMemory() *memory {
	return &memory{tokens: map[string]identity.Identity{}, expires: map[string]time.Time{}}
}

func (m *memory) Learn(token string, id identity.Identity, expires time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens[token], m.expires[token] = id, expires
}

func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.String()
}

func TestLearning(t *testing.T) {
	alice := identity.Identity{UserID: "@alice:example.org", DeviceID: "ABC"}
	tokens := func(token string, id identity.Identity) map[string]identity.Identity {
		return map[string]identity.Identity{token: id}
	}
	const login = `{"user_id":"@alice:example.org","access_token":"syt_secret","home_server":"example.org","device_id":"ABC"}`
	tests := map[string]struct {
		request, answer string
		want            map[string]identity.Identity
	}{
		"a login":                               {"", login, tokens("syt_secret", alice)},
		"a compressed one":                      {"", packed(login), tokens("syt_secret", alice)},
		"one without device":                    {"", `{"user_id":"@alice:example.org","access_token":"t"}`, tokens("t", identity.Identity{UserID: "@alice:example.org"})},
		"a guest's registering":                 {"", `{"user_id":"@1:example.org","access_token":"t","device_id":"guest_device"}`, tokens("t", identity.Identity{UserID: "@1:example.org", DeviceID: "guest_device", Guest: true})},
		"one with a token to refresh it":        {"", `{"user_id":"@alice:example.org","access_token":"t","device_id":"ABC","refresh_token":"r","expires_in_ms":300000}`, tokens("t", alice)},
		"refreshing what was seen given":        {`{"refresh_token":"known"}`, `{"access_token":"t","refresh_token":"r","expires_in_ms":300000}`, tokens("t", alice)},
		"refreshing what was not":               {`{"refresh_token":"other"}`, `{"access_token":"t","refresh_token":"r"}`, nil},
		"refreshing without seeing the request": {"", `{"access_token":"t","refresh_token":"r"}`, nil},
		"registering without logging in":        {"", `{"user_id":"@alice:example.org"}`, nil},
		"a refused login":                       {"", `{"errcode":"M_FORBIDDEN","error":"Invalid username or password"}`, nil},
		"a stage of registering":                {"", `{"session":"x","flows":[{"stages":["m.login.dummy"]}]}`, nil},
		"a token that has ended":                {"", `{"user_id":"@alice:example.org","access_token":"t","expires_in_ms":0}`, nil},
		"a life time of text":                   {"", `{"user_id":"@alice:example.org","access_token":"t","expires_in_ms":"x"}`, nil},
		"a list":                                {"", `[` + login + `]`, nil},
		"HTML":                                  {"", `<html>access_token</html>`, nil},
		"nothing":                               {"", ``, nil},
		"half of it":                            {"", login[:40], nil},
		"too much":                              {"", `{"pad":"` + strings.Repeat("x", maxGrant) + `",` + login[1:], nil},
		"too much when unpacked":                {"", packed(`{"pad":"` + strings.Repeat("x", maxGrant) + `",` + login[1:]), nil},
		"broken packing":                        {"", packed(login)[:20], nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			known := newMemory()
			var log bytes.Buffer
			authz := NewAuthz(Options{Learner: known, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			authz.learning.links.put("known", alice)
			stream, err := extprocv3.NewExternalProcessorClient(dial(t, NewAuthzServer(authz, NewHealth()))).Process(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if test.request != "" {
				got := exchangeOne(t, stream, &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{
					RequestBody: &extprocv3.HttpBody{Body: []byte(test.request), EndOfStream: true},
				}})
				if got.GetRequestBody() == nil || got.GetRequestBody().GetResponse() != nil {
					t.Errorf("the request is touched: %v", got)
				}
			}
			got := exchangeOne(t, stream, &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseBody{
				ResponseBody: &extprocv3.HttpBody{Body: []byte(test.answer), EndOfStream: true},
			}})
			if got.GetResponseBody() == nil || got.GetResponseBody().GetResponse() != nil {
				t.Errorf("the answer is touched: %v", got)
			}
			if diff := cmp.Diff(test.want, known.tokens, cmp.Comparer(func(a, b map[string]identity.Identity) bool { return fmt.Sprint(a) == fmt.Sprint(b) })); diff != "" {
				t.Errorf("learned (-want +got):\n%s", diff)
			}
			if strings.Contains(log.String(), "secret") {
				t.Errorf("the token is in the log:\n%s", &log)
			}
		})
	}
}

func TestLearnedTokensEndAsTheAnswerSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for life, want := range map[string]time.Duration{"300000": 5 * time.Minute, "9223372036854775807": maxLife} {
			known := newMemory()
			l := newLearning(Options{Learner: known})
			l.answered([]byte(`{"user_id":"@alice:example.org","access_token":"t","expires_in_ms":`+life+`}`), &exchange{})
			if got := time.Until(known.expires["t"]); got != want {
				t.Errorf("%s: ends in %s, want %s", life, got, want)
			}
		}
	})
}

func TestOtherPhasesGoOnAsTheyAre(t *testing.T) {
	authz := NewAuthz(Options{Log: slog.New(slog.DiscardHandler)})
	stream, err := extprocv3.NewExternalProcessorClient(dial(t, NewAuthzServer(authz, NewHealth()))).Process(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*extprocv3.ProcessingRequest{
		{Request: &extprocv3.ProcessingRequest_RequestTrailers{}},
		{Request: &extprocv3.ProcessingRequest_ResponseHeaders{}},
		{Request: &extprocv3.ProcessingRequest_ResponseBody{}},
		{Request: &extprocv3.ProcessingRequest_ResponseTrailers{}},
	} {
		if got := exchangeOne(t, stream, r); got.Response == nil {
			t.Errorf("%T: no answer", r.Request)
		}
	}
	if err := stream.Send(&extprocv3.ProcessingRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err == nil {
		t.Error("an unknown phase was answered")
	}
}

func TestRefreshTokensAreGoodForOnce(t *testing.T) {
	alice := identity.Identity{UserID: "@alice:example.org"}
	l := newLinks()
	l.put("", alice)
	l.put("first", alice)
	for i := range maxLinks + 1 {
		l.put(fmt.Sprint(i), alice)
	}
	for _, token := range []string{"first", "0", fmt.Sprint(maxLinks)} {
		if id, ok := l.take(token); !ok || id != alice {
			t.Errorf("%s: %v, %v", token, id, ok)
		}
		if _, ok := l.take(token); ok {
			t.Errorf("%s: taken twice", token)
		}
	}
	if _, ok := l.take(""); ok {
		t.Error("nothing is a token")
	}
	for i := range 2 * maxLinks {
		l.put(fmt.Sprint("later", i), alice)
	}
	if _, ok := l.take("1"); ok || len(l.young)+len(l.old) > 2*maxLinks {
		t.Errorf("%d are kept", len(l.young)+len(l.old))
	}
}

func FuzzLearning(f *testing.F) {
	f.Add([]byte(`{"user_id":"@alice:example.org","access_token":"t","device_id":"ABC","refresh_token":"r","expires_in_ms":1}`))
	f.Add([]byte(packed(`{}`)))
	cache, err := identity.NewCache(identity.DefaultConfig(), resolver(func(context.Context, identity.Request) (identity.Identity, error) {
		return identity.Identity{}, identity.ErrUnknownToken
	}), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = cache.Close() })
	f.Fuzz(func(t *testing.T, body []byte) {
		l := newLearning(Options{Learner: cache})
		e := &exchange{}
		l.asked(body, e)
		l.answered(body, e)
		var g grant
		if json.Unmarshal(body, &g) != nil {
			return
		}
		id, err := cache.Resolve(t.Context(), identity.Request{Token: g.AccessToken})
		if err == nil && (id.UserID != g.UserID || strings.ContainsAny(id.UserID+id.DeviceID, "\r\n\x00 ")) {
			t.Errorf("learned %+v", id)
		}
	})
}
