package identity

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// written puts text into a file and gives its path.
func written(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newTestHome(name string) *home {
	h := &home{}
	h.set(name)
	return h
}

func newTestIntrospection(t *testing.T, m *standin) *introspection {
	t.Helper()
	source := masSource{config: IntrospectionConfig{Endpoint: m.serve(t) + "/", SecretPath: written(t, "secret", masTestSecret+"\n")}}
	i, err := newIntrospection(source, newTestHome("hs"), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.close)
	return i
}

func TestIntrospectionOfEachKindOfToken(t *testing.T) {
	alice := func(device string) Identity { return Identity{UserID: "@alice:hs", DeviceID: device} }
	tests := map[string]struct {
		token   string
		want    Identity
		expires time.Duration
		err     error
	}{
		"an OAuth session's device is in its scope":          {"mat_oauth", alice("D"), 300 * time.Second, nil},
		"a login's device is named apart":                    {"mct_login", alice("HrIWAxl6GL"), 0, nil},
		"a login with a refresh token has an end":            {"mct_refreshable", alice("HrIWAxl6GL"), 300 * time.Second, nil},
		"a personal token has no device":                     {"mpt_personal", alice(""), 0, nil},
		"a personal token may have a device and an end":      {"mpt_limited", alice("D"), time.Hour, nil},
		"a token of Synapse's that the service took over":    {"syt_YWxpY2U_a_b", alice("OLD"), 0, nil},
		"a token that has to be escaped":                     {"mat_ab/+=d", Identity{UserID: "@bob:hs", DeviceID: "D"}, 300 * time.Second, nil},
		"an administrator's client has no user":              {"mat_admin", Identity{}, 0, ErrNoAccess},
		"an administrator's token is not for Matrix clients": {"mat_adminuser", Identity{}, 0, ErrNoAccess},
		"a refresh token is no access token":                 {"mar_refresh", Identity{}, 0, ErrTokenInactive},
		"a login's refresh token is none either":             {"mcr_refresh", Identity{}, 0, ErrTokenInactive},
		"a token that was revoked":                           {"mat_revoked", Identity{}, 0, ErrTokenInactive},
		"what another may know":                              {"an_appservices", Identity{}, 0, errElsewhere},
		"what another may know is not active here":           {"an_appservices", Identity{}, 0, ErrTokenInactive},
	}
	m := newStandin()
	i := newTestIntrospection(t, m)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := time.Now()
			got, err := i.Resolve(t.Context(), Request{Token: test.token})
			if !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreFields(Identity{}, "Expires")); diff != "" {
				t.Errorf("identity (-want +got):\n%s", diff)
			}
			if test.expires == 0 != got.Expires.IsZero() || test.expires != 0 && got.Expires.Sub(before) < test.expires-2*time.Second {
				t.Errorf("expires in %s, want %s", got.Expires.Sub(before), test.expires)
			}
		})
	}
}

func TestIntrospectionIsAskedAsSynapseAsks(t *testing.T) {
	m := newStandin()
	i := newTestIntrospection(t, m)
	for range 20 {
		_, _ = i.Resolve(t.Context(), Request{Token: "mct_abc_/+=d", ForwardedFor: "203.0.113.7", UserAgent: "Element"})
	}
	r := m.requests[0]
	want := http.Header{
		"X-Mas-Supports-Device-Id": {"1"},
		"Accept":                   {"application/json"},
		"Authorization":            {"Bearer " + masTestSecret},
		"Content-Type":             {"application/x-www-form-urlencoded"},
		"User-Agent":               {"Axon"},
		"Content-Length":           {"53"},
	}
	if diff := cmp.Diff(want, r.Header); diff != "" || r.Method != http.MethodPost || r.RequestURI != "/oauth2/introspect" || r.Proto != "HTTP/1.1" {
		t.Errorf("%s %s %s, headers (-want +got):\n%s", r.Method, r.RequestURI, r.Proto, diff)
	}
	if diff := cmp.Diff("token=mct_abc_%2F%2B%3Dd&token_type_hint=access_token", m.forms[0]); diff != "" {
		t.Errorf("form (-want +got):\n%s", diff)
	}
	for _, r := range m.requests {
		if r.RemoteAddr != m.requests[0].RemoteAddr {
			t.Fatal("not one kept connection")
		}
	}
}

func TestIntrospectionAnswers(t *testing.T) {
	active := func(more string) http.HandlerFunc {
		return answerWith(200, `{"active":true,"scope":"urn:matrix:client:api:*"`+more+`}`)
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		err     error
		outcome string
	}{
		"a user":                            {active(`,"username":"alice"`), nil, "found"},
		"a user of another server":          {active(`,"username":"alice:elsewhere"`), ErrUnavailable, "error"},
		"a user who would end a header":     {active(`,"username":"a\r\nX-Evil: b"`), ErrUnavailable, "error"},
		"two devices":                       {active(`,"username":"alice","scope":"urn:matrix:client:api:* urn:matrix:client:device:A urn:matrix:client:device:B"`), nil, "found"},
		"no user":                           {active(``), ErrNoAccess, "unknown"},
		"no scope":                          {answerWith(200, `{"active":true,"username":"alice"}`), ErrNoAccess, "unknown"},
		"a scope that only looks alike":     {answerWith(200, `{"active":true,"scope":"urn:matrix:client:api:*x","username":"alice"}`), ErrNoAccess, "unknown"},
		"a token that ends now":             {active(`,"username":"alice","expires_in":0`), ErrTokenInactive, "unknown"},
		"a token that never ends, nearly":   {active(`,"username":"alice","expires_in":9223372036854775807`), nil, "found"},
		"an end that is no number":          {active(`,"username":"alice","expires_in":"soon"`), ErrUnavailable, "error"},
		"active or not is not said":         {answerWith(200, `{"username":"alice"}`), ErrUnavailable, "error"},
		"active is no yes or no":            {answerWith(200, `{"active":"true","username":"alice"}`), ErrUnavailable, "error"},
		"HTML":                              {answerWith(200, `<html>`), ErrUnavailable, "error"},
		"no JSON object":                    {answerWith(200, `[]`), ErrUnavailable, "error"},
		"ten MiB":                           {answerWith(200, `{"active":true`+strings.Repeat(" ", 10<<20)+`}`), ErrUnavailable, "error"},
		"a redirect":                        {redirect, ErrUnavailable, "error"},
		"our secret is wrong":               {answerWith(401, `{"error":"access_denied"}`), ErrUnavailable, "error"},
		"a fault of the service":            {answerWith(500, `{}`), errFault, "error"},
		"an end without any answer":         {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, errUnreachable, "unreachable"},
		"silence":                           {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, ErrUnavailable, "timeout"},
		"a success that is not the usual 2": {answerWith(204, ``), ErrUnavailable, "error"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			i := newTestIntrospection(t, &standin{instead: test.handler})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			id, err := i.Resolve(ctx, Request{Token: "mat_secret"})
			if !errors.Is(err, test.err) || (err == nil) != (id.UserID == "@alice:hs") {
				t.Errorf("%+v, error %v, want %v", id, err, test.err)
			}
			if err != nil && (strings.Contains(err.Error(), "mat_secret") || strings.Contains(err.Error(), masTestSecret)) {
				t.Errorf("a secret is in the error: %v", err)
			}
			if n := testutil.ToFloat64(i.requests.WithLabelValues(test.outcome)); n != 1 {
				t.Errorf("outcome %q counted %v times", test.outcome, n)
			}
		})
	}
}

// redirect leads to an answer that would be a good one.
func redirect(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/elsewhere" {
		answerWith(200, `{"active":true,"scope":"urn:matrix:client:api:*","username":"alice","user_id":"@alice:hs"}`)(w, r)
		return
	}
	http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
}

func TestANewSecretIsReadWhenTheOldOneFails(t *testing.T) {
	m := newStandin()
	path := written(t, "secret", "the secret of last year")
	source := masSource{config: IntrospectionConfig{Endpoint: m.serve(t), SecretPath: path}}
	i, err := newIntrospection(source, newTestHome("hs"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.close)
	if _, err := i.Resolve(t.Context(), Request{Token: "mat_oauth"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("with the old secret: %v", err)
	}
	if err := os.WriteFile(path, []byte(masTestSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	if id, err := i.Resolve(t.Context(), Request{Token: "mat_oauth"}); id.UserID != "@alice:hs" || err != nil {
		t.Errorf("with the new one: %+v, %v", id, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if id, err := i.Resolve(t.Context(), Request{Token: "mat_oauth"}); id.UserID != "@alice:hs" || err != nil {
		t.Errorf("a secret that works is not read again: %+v, %v", id, err)
	}
}

func FuzzIntrospected(f *testing.F) {
	f.Add([]byte(`{"active":true,"scope":"urn:matrix:client:api:* urn:matrix:client:device:D","username":"alice","expires_in":300}`))
	f.Add([]byte(`{"active":false}`))
	h := newTestHome("hs")
	f.Fuzz(func(t *testing.T, body []byte) {
		id, err := h.introspected(body)
		if (err == nil) == (id.UserID == "") {
			t.Fatalf("%+v, %v: neither a user nor a fault, or both", id, err)
		}
		if err == nil && (!validUserID(id.UserID) || !strings.HasSuffix(id.UserID, ":hs") || strings.Count(id.UserID, ":") != 1) {
			t.Fatalf("%q is not a user of hs", id.UserID)
		}
		if validDeviceID(id.DeviceID) != id.DeviceID {
			t.Fatalf("%q could not be a header", id.DeviceID)
		}
	})
}
