package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc"

	"axon/envoy/envoytest"
	"axon/server/identity"
	"axon/xds/plan"
	"axon/xds/topology"
	"axon/xds/translate"
)

// seen is what a worker saw of a request.
type seen struct {
	Who    string
	Header http.Header
}

// worker answers with what it saw, and whatever answer says for a path.
func worker(t testing.TB, who string, answer map[string]string) topology.Address {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if text, ok := answer[r.URL.Path]; ok {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, text)
			return
		}
		_ = json.NewEncoder(w).Encode(seen{who, r.Header})
	}))
	t.Cleanup(s.Close)
	address, err := topology.ParseAddress(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// door is a real Envoy before workers.
type door struct {
	address string
	client  *http.Client
}

// openDoor starts an Envoy with the routes of a homeserver that has main and four workers for syncs.
func openDoor(t testing.TB, id *plan.Identity, answer map[string]string) door {
	t.Helper()
	p, address := homeserver(t, func(name string) topology.Address { return worker(t, name, answer) })
	p.Identity = id
	return startDoor(t, translate.Translate(p), address)
}

// homeserver gives its plan, and the address of the listener in it.
func homeserver(t testing.TB, start func(name string) topology.Address) (p *plan.Plan, address string) {
	t.Helper()
	listens := func(name string) *topology.Worker {
		return &topology.Worker{Name: name, MediaRepo: true, Listeners: []topology.Listener{{
			Address: start(name), Resources: []topology.Resource{topology.Client, topology.Federation, topology.Media, topology.Keys},
		}}}
	}
	topo := &topology.Topology{ServerName: "example.org", Main: listens("main"), StreamWriters: map[topology.Stream][]string{}}
	for _, stream := range topology.Streams {
		topo.StreamWriters[stream] = []string{"main"}
	}
	for i := range 4 {
		topo.Workers = append(topo.Workers, listens(fmt.Sprintf("sync-%d", i+1)))
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = free.Addr().String()
	_ = free.Close()
	p, err = plan.Build(topo, plan.Config{Listeners: []plan.ListenerConfig{{Address: address}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p, address
}

func startDoor(t testing.TB, resources translate.Resources, address string) door {
	t.Helper()
	for _, c := range resources.Clusters { // a busy machine must not make a stand-in look dead
		c.HealthChecks, c.OutlierDetection = nil, nil
	}
	static, err := translate.Static(resources)
	if err != nil {
		t.Fatal(err)
	}
	envoytest.Start(t, &bootstrapv3.Bootstrap{Node: &corev3.Node{Id: "test", Cluster: "test"}, StaticResources: static})
	d := door{address, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 30 * time.Second}}
	for range 400 {
		if response, err := d.client.Get("http://" + address + "/_matrix/client/versions"); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return d
			}
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("envoy does not answer")
	return d
}

// send gives the answer and its body; headers are name, value, name, value.
func (d door) send(t testing.TB, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+d.address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	response, err := d.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(got)
}

// saw reads what a worker saw.
func saw(t testing.TB, body string) seen {
	t.Helper()
	var s seen
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return s
}

// serve runs Axon's server at a socket until stop, at the latest until the test ends.
func serve(t testing.TB, socket string, o Options) (stop func()) {
	t.Helper()
	l, err := AuthzConfig{Address: "unix:" + socket, Mode: "0600"}.Listen()
	if err != nil {
		t.Fatal(err)
	}
	s := NewAuthzServer(NewAuthz(o), NewHealth(), Contained(nil, o.Log)...)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	stop = sync.OnceFunc(func() {
		s.Stop()
		<-done
	})
	t.Cleanup(stop)
	return stop
}

var badTokens = map[string]error{
	"unknown": identity.ErrUnknownToken, "unavailable": identity.ErrUnavailable, "locked": identity.ErrUserLocked,
	"account_expired": identity.ErrAccountExpired, "forbidden": identity.ErrForbidden,
}

// everybody resolves native tokens as Synapse would.
func everybody(_ context.Context, r identity.Request) (identity.Identity, error) {
	if err := badTokens[r.Token]; err != nil {
		return identity.Identity{}, err
	}
	localpart, _, _ := strings.Cut(strings.TrimPrefix(r.Token, "of_"), "_")
	if name, ok := users[r.Token]; ok {
		localpart = name
	}
	return identity.Identity{UserID: "@" + localpart + ":example.org", DeviceID: "ABC", Guest: localpart == "guest"}, nil
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func socketPath(t testing.TB) string { return filepath.Join(t.TempDir(), "s") }

func identityAt(socket string) *plan.Identity {
	return &plan.Identity{Address: topology.Address{Path: socket}, Timeout: 2 * time.Second, Headers: []string{"x-user-identifier"}}
}

func TestStoppingAxonMovesNobodyWithANativeToken(t *testing.T) {
	const n = 1000
	tokens := nativeTokens(n)
	socket := socketPath(t)
	stop := serve(t, socket, Options{Resolver: resolver(everybody), Policy: identity.DefaultPolicy(), Log: quiet()})
	d := openDoor(t, identityAt(socket), nil)
	place := func(told bool) map[string]string {
		at := map[string]string{}
		for _, token := range tokens {
			_, body := d.send(t, "GET", "/_matrix/client/v3/sync?since=s1", "", "Authorization", "Bearer "+token)
			s := saw(t, body)
			at[token] = s.Who
			if got := s.Header.Get("X-User-Identifier"); told && got != "@"+users[token]+":example.org" || !told && got != "" {
				t.Fatalf("%s: the worker was told %q", users[token], got)
			}
			if s.Header.Get("X-Axon-Affinity") != "" {
				t.Fatalf("the key reached the worker: %v", s.Header)
			}
		}
		return at
	}
	before := place(true)
	stop()
	after := place(false)
	load := map[string]int{}
	for token, who := range before {
		load[who]++
		if after[token] != who {
			t.Errorf("%s moved from %s to %s", users[token], who, after[token])
		}
	}
	if len(load) != 4 {
		t.Errorf("the users are not spread: %v", load)
	}
}

func TestEnforcing(t *testing.T) {
	policy := identity.DefaultPolicy()
	policy.Enforce = true
	policy.Headers.Device, policy.Headers.Guest = "x-matrix-device", "x-matrix-guest"
	socket := socketPath(t)
	stop := serve(t, socket, Options{Resolver: resolver(everybody), Policy: policy, NeedsUser: plan.NeedsUser, Log: quiet()})
	id := identityAt(socket)
	id.Enforce, id.FailClosed, id.Headers = true, true, policy.Headers.Named()
	d := openDoor(t, id, nil)

	const capabilities, syncs = "/_matrix/client/v3/capabilities", "/_matrix/client/v3/sync"
	type want struct {
		status  int
		body    string
		headers map[string]string
	}
	cors := func(more ...string) map[string]string {
		all := map[string]string{"Content-Type": "application/json", "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "X-Requested-With, Content-Type, Authorization, Date"}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	tests := map[string]struct {
		method, path, token string
		alive, dead         want
	}{
		"a user":                   {"GET", syncs, "of_alice", want{status: 200}, want{503, `"errcode":"M_UNKNOWN"`, cors()}},
		"a user on another route":  {"GET", capabilities, "of_alice", want{status: 200}, want{503, `"errcode":"M_UNKNOWN"`, cors()}},
		"no token":                 {"GET", capabilities, "", want{401, `{"errcode":"M_MISSING_TOKEN","error":"Missing access token"}`, cors()}, want{503, `"errcode":"M_UNKNOWN"`, cors()}},
		"an unknown token":         {"GET", capabilities, "unknown", want{401, `{"errcode":"M_UNKNOWN_TOKEN","error":"Invalid access token passed.","soft_logout":false}`, cors()}, want{503, "M_UNKNOWN", cors()}},
		"a locked user":            {"GET", capabilities, "locked", want{401, `{"errcode":"M_USER_LOCKED","error":"User account has been locked","soft_logout":true}`, cors()}, want{503, "M_UNKNOWN", cors()}},
		"an account that is over":  {"GET", capabilities, "account_expired", want{403, `{"errcode":"ORG_MATRIX_EXPIRED_ACCOUNT","error":"User account has expired"}`, cors()}, want{503, "M_UNKNOWN", cors()}},
		"a bridge as a stranger":   {"GET", capabilities, "forbidden", want{403, `{"errcode":"M_FORBIDDEN","error":"Application service cannot masquerade as this user"}`, cors()}, want{503, "M_UNKNOWN", cors()}},
		"nobody to ask":            {"GET", capabilities, "unavailable", want{503, `{"errcode":"M_UNKNOWN","error":"Unable to find out whose access token this is"}`, cors("Retry-After", "5")}, want{503, "M_UNKNOWN", cors()}},
		"sending without a token":  {"PUT", "/_matrix/client/v3/rooms/!a:b/send/m.room.message/1", "", want{401, "M_MISSING_TOKEN", cors()}, want{503, "M_UNKNOWN", cors()}},
		"logging out":              {"POST", "/_matrix/client/v3/logout", "unknown", want{status: 200}, want{status: 200}},
		"logging in":               {"POST", "/_matrix/client/v3/login", "", want{status: 200}, want{status: 200}},
		"versions":                 {"GET", "/_matrix/client/versions", "", want{status: 200}, want{status: 200}},
		"a profile":                {"GET", "/_matrix/client/v3/profile/@a:b", "", want{status: 200}, want{status: 200}},
		"a preflight":              {"OPTIONS", capabilities, "", want{status: 200}, want{status: 200}},
		"old media":                {"GET", "/_matrix/media/v3/download/b/x", "", want{status: 200}, want{status: 200}},
		"media":                    {"GET", "/_matrix/client/v1/media/download/b/x", "", want{401, "M_MISSING_TOKEN", cors()}, want{503, "M_UNKNOWN", cors()}},
		"another server's request": {"PUT", "/_matrix/federation/v1/send/1", "", want{status: 200}, want{status: 200}},
		"single sign-on":           {"GET", "/_synapse/client/pick_idp", "", want{status: 200}, want{status: 200}},
		"a path that is nobody's":  {"GET", "/nobodys", "", want{404, "M_UNRECOGNIZED", nil}, want{404, "M_UNRECOGNIZED", nil}},
	}
	check := func(t *testing.T, method, path, token string, w want) {
		t.Helper()
		var headers []string
		if token != "" {
			headers = []string{"Authorization", "Bearer " + token}
		}
		response, body := d.send(t, method, path, "", headers...)
		if response.StatusCode != w.status || !strings.Contains(body, w.body) {
			t.Errorf("%s %s: %d, want %d with %s: %s", method, path, response.StatusCode, w.status, w.body, body)
		}
		for name, value := range w.headers {
			if got := strings.Join(response.Header.Values(name), " | "); got != value {
				t.Errorf("%s: %q, want %q", name, got, value)
			}
		}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { check(t, tt.method, tt.path, tt.token, tt.alive) })
	}
	t.Run("forged headers in any spelling are dropped, and the real ones set", func(t *testing.T) {
		for _, path := range []string{syncs, "/_matrix/client/versions"} {
			_, body := d.send(t, "GET", path, "", "Authorization", "Bearer of_guest",
				"x-user-identifier", "@evil:x", "X_User_Identifier", "@evil:x", "X-User_identifier", "@evil:x",
				"x-matrix-device", "EVIL", "x_matrix-device", "EVIL", "X-Matrix_Guest", "EVIL", "x-axon-group", "EVIL", "X-Axon_Affinity", "EVIL")
			got := saw(t, body).Header
			if text := fmt.Sprint(got); strings.Contains(strings.ToLower(text), "evil") {
				t.Errorf("%s: the worker sees %s", path, text)
			}
			if path == syncs && (got.Get("X-User-Identifier") != "@guest:example.org" || got.Get("X-Matrix-Device") != "ABC" || got.Get("X-Matrix-Guest") != "true") {
				t.Errorf("%s: the worker sees %v", path, got)
			}
		}
	})
	stop()
	for name, tt := range tests {
		t.Run(name+", without Axon", func(t *testing.T) { check(t, tt.method, tt.path, tt.token, tt.dead) })
	}
}

func TestLearningFromLogins(t *testing.T) {
	const login, refresh, register = "/_matrix/client/v3/login", "/_matrix/client/v3/refresh", "/_matrix/client/v3/register"
	large := `{"pad":"` + strings.Repeat("x", 3<<20) + `"}`
	answers := map[string]string{
		login:                             "{\"user_id\" : \"@alice:example.org\",\n \"access_token\":\"syt_secret_1\",\"device_id\":\"ABC\",\"refresh_token\":\"syr_secret\",\"expires_in_ms\":300000}\n",
		register:                          `{"user_id":"@bob:example.org","access_token":"syt_secret_2","device_id":"ABC","pad":"\u00fc"}`,
		refresh:                           `{"access_token":"syt_secret_3","refresh_token":"syr_secret_2","expires_in_ms":300000}`,
		"/_matrix/client/r0/login":        large,
		"/_matrix/client/unstable/login":  `<html>`,
		"/_matrix/client/v3/capabilities": `{"user_id":"@eve:example.org","access_token":"syt_secret_eve"}`,
	}
	var log bytes.Buffer
	debug := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	known := newMemory()
	socket := socketPath(t)
	stop := serve(t, socket, Options{Resolver: resolver(everybody), Learner: known, Policy: identity.DefaultPolicy(), Log: debug})
	id := identityAt(socket)
	id.Learn = true
	d := openDoor(t, id, answers)
	same := func(when string) {
		t.Helper()
		for path, answer := range answers {
			method := "POST"
			if strings.HasSuffix(path, "capabilities") {
				method = "GET"
			}
			if _, body := d.send(t, method, path, `{"refresh_token":"syr_secret"}`); body != answer {
				t.Errorf("%s: %s: the answer of %d bytes came as %d bytes: %.200s", when, path, len(answer), len(body), body)
			}
		}
	}
	want := fmt.Sprint(identity.Identity{UserID: "@alice:example.org", DeviceID: "ABC"}, "@bob:example.org", "@alice:example.org", 3)
	got := ""
	for range 20 { // on a busy machine an answer may not wait for Axon
		d.send(t, "POST", login, `{"type":"m.login.password"}`)
		d.send(t, "GET", login, "")
		d.send(t, "POST", refresh, `{"refresh_token":"syr_secret"}`)
		same("with Axon")
		known.mu.Lock()
		got = fmt.Sprint(known.tokens["syt_secret_1"], known.tokens["syt_secret_2"].UserID, known.tokens["syt_secret_3"].UserID, len(known.tokens))
		known.mu.Unlock()
		if got == want {
			break
		}
	}
	if got != want {
		t.Errorf("learned %s, want %s", got, want)
	}
	stop()
	same("without Axon")

	l, err := net.Listen("unix", socket) // one that accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	hangs := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		<-stream.Context().Done()
		return nil
	}))
	go func() { _ = hangs.Serve(l) }()
	t.Cleanup(hangs.Stop)
	same("with an Axon that hangs")
	if strings.Contains(log.String(), "secret") {
		t.Errorf("a token is in the log:\n%s", &log)
	}
}
