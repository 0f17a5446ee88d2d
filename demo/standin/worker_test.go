package standin_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"axon/demo/standin"
)

const alice = "@alice:example.org"

var tokens = map[string]string{"syt_YWxpY2U_one": alice, "mat_two": alice}

var writers = map[string][]string{"typing": {"typing-typer"}}

type request struct {
	method, target, token string
	header                http.Header
}

type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends the request byte for byte.
func ask(t *testing.T, w *standin.Worker, r request) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.method, "http://standin"+r.target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.header != nil {
		req.Header = r.header
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	network := "tcp"
	if w.Port() == 0 {
		network = "unix"
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, w.Address())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func start(t *testing.T, c standin.Config) *standin.Worker {
	t.Helper()
	c.Tokens, c.Writers = tokens, writers
	w, err := standin.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// get, put and post are requests with one of alice's tokens.
func get(target string) request {
	return request{method: http.MethodGet, target: target, token: "mat_two"}
}

func put(target string) request {
	return request{method: http.MethodPut, target: target, token: "mat_two"}
}

func post(target string) request {
	return request{method: http.MethodPost, target: target, token: "mat_two"}
}

func TestWorkerEchoesWhatArrived(t *testing.T) {
	w := start(t, standin.Config{Name: "sync-1", Resources: []string{standin.Client}})
	const target = "/_matrix/client/v3/rooms/%21a%3aexample.org/x%2Fy/../%7Ez//?b=%20"
	a := ask(t, w, request{method: http.MethodGet, target: target, header: http.Header{
		"X-User-Identifier": {alice}, "X-Forwarded-For": {"192.0.2.1", "192.0.2.2"}, "X-Axon-Affinity": {"YWxpY2U"},
	}})
	got := map[string]string{}
	for _, h := range []string{standin.EchoPath, standin.EchoUser, standin.EchoForwardedFor, standin.EchoAffinity} {
		got[h] = a.header.Get(h)
	}
	want := map[string]string{
		standin.EchoPath: target, standin.EchoUser: alice, standin.EchoForwardedFor: "192.0.2.1, 192.0.2.2",
		standin.EchoAffinity: "YWxpY2U",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	a = ask(t, w, get("/_matrix/client/versions"))
	if _, echoed := a.header[standin.EchoUser]; echoed {
		t.Error("an identity that did not arrive was echoed")
	}
}

func TestWorkerCountsByUserAndKind(t *testing.T) {
	w := start(t, standin.Config{Name: "sync-1", Resources: []string{standin.Client}})
	for _, target := range []string{"/sync", "/sync?since=s1", "/sync?since=s1&full_state=true", "/sync?since=s2&timeout=0"} {
		ask(t, w, get("/_matrix/client/v3"+target))
	}
	ask(t, w, post("/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?pos=1"))
	ask(t, w, request{method: http.MethodGet, target: "/health"})
	want := map[standin.Count]int{
		{User: alice, Kind: standin.InitialSync}: 2, {User: alice, Kind: standin.Sync}: 2,
		{User: alice, Kind: standin.SlidingSync}: 1, {Kind: standin.Health}: 1,
	}
	if diff := cmp.Diff(want, w.Counts()); diff != "" {
		t.Error(diff)
	}
	if got := w.Served(standin.InitialSync); got != 2 {
		t.Errorf("%d initial syncs served, want 2", got)
	}
}

func TestAnIncrementalSyncIsHeldUntilItsBound(t *testing.T) {
	const bound = 50 * time.Millisecond
	w := start(t, standin.Config{Name: "sync-1", Resources: []string{standin.Client}, LongPoll: bound})
	began := time.Now()
	ask(t, w, get("/_matrix/client/v3/sync?since=s1&timeout=30000"))
	if took := time.Since(began); took < bound {
		t.Errorf("held for %s, want at least %s", took, bound)
	}
}

func TestWhoamiFailsAndHangsOnDemand(t *testing.T) {
	w := start(t, standin.Config{Name: "main", Resources: []string{standin.Client}})
	w.Fail(true)
	if a := ask(t, w, get("/_matrix/client/v3/account/whoami")); a.status != 500 {
		t.Errorf("failing whoami: status %d", a.status)
	}
	w.Fail(false)
	w.Hang(true)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.Address()+"/_matrix/client/v3/account/whoami", nil)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error)
	go func() {
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		answered <- err
	}()
	for w.Served(standin.Whoami) < 2 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-answered; err == nil {
		t.Error("a hanging whoami answered")
	}
}

func TestAWorkerOnAUnixSocketComesBackAtTheSameAddress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.sock")
	c := standin.Config{Name: "media-1", Network: "unix", Address: path, Resources: []string{standin.Client}}
	for range 2 {
		w := start(t, c)
		if a := ask(t, w, get("/_matrix/client/versions")); a.status != 200 {
			t.Errorf("status %d", a.status)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAnAddressInUseIsAnErrorThatNamesTheWorker(t *testing.T) {
	first := start(t, standin.Config{Name: "sync-1"})
	_, err := standin.Start(t.Context(), standin.Config{Name: "sync-2", Address: first.Address()})
	if err == nil || !strings.Contains(err.Error(), `stand-in "sync-2"`) {
		t.Errorf("got %v", err)
	}
}

func TestANativeTokenNamesItsUserAndAnOpaqueOneDoesNot(t *testing.T) {
	native := regexp.MustCompile(`^syt_YWxpY2U_[A-Za-z0-9]{20}_[A-Za-z0-9]{6}$`)
	if !native.MatchString(standin.NativeToken(alice)) {
		t.Error("a native token has another form")
	}
	opaque := regexp.MustCompile(`^mat_[A-Za-z0-9]{30}_[A-Za-z0-9]{6}$`)
	if !opaque.MatchString(standin.OpaqueToken()) {
		t.Error("an opaque token has another form")
	}
}
