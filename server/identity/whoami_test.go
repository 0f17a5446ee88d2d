package identity

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"axon/xds/topology"
)

// synapse stands in for a process that serves whoami.
type synapse struct {
	calls atomic.Int64
	conns atomic.Int64
}

// serve starts one on a listener; nil means a free port.
func (s *synapse) serve(t *testing.T, l net.Listener, handler http.HandlerFunc) topology.Address {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		handler(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.conns.Add(1)
		}
	}
	if l != nil {
		_ = server.Listener.Close()
		server.Listener = l
	}
	server.Start()
	t.Cleanup(server.Close)
	if path, ok := strings.CutPrefix(server.Listener.Addr().String(), "/"); ok {
		return topology.Address{Path: "/" + path}
	}
	address, err := topology.ParseAddress(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func answerWith(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

const aliceJSON = `{"user_id":"@alice:hs","is_guest":false,"device_id":"A"}`

// unreachable is an address at which nothing listens.
func unreachable(t *testing.T) topology.Address {
	t.Helper()
	return topology.Address{Path: filepath.Join(t.TempDir(), "none.sock")}
}

func newTestWhoami(t *testing.T, workers []topology.Address, fallback ...topology.Address) *Whoami {
	t.Helper()
	w := NewWhoami(prometheus.NewRegistry())
	w.SetTargets(workers, fallback)
	t.Cleanup(w.Close)
	return w
}

func TestWhoamiPassesOnWhatSynapseRecords(t *testing.T) {
	tests := map[string]struct {
		request Request
		query   string
		headers http.Header
	}{
		"token, address and agent": {
			Request{Token: "t", ForwardedFor: "203.0.113.7", UserAgent: "Element/1"},
			"",
			http.Header{"Authorization": {"Bearer t"}, "X-Forwarded-For": {"203.0.113.7"}, "User-Agent": {"Element/1"}},
		},
		"as whom an application service acts": {
			Request{Token: "t", UserID: "@a+b&c:hs", ForwardedFor: "::ffff:203.0.113.7"},
			"user_id=%40a%2Bb%26c%3Ahs",
			http.Header{"Authorization": {"Bearer t"}, "X-Forwarded-For": {"203.0.113.7"}},
		},
		"nothing that is no address or would break the call": {
			Request{Token: "t", ForwardedFor: "unknown, 10.0.0.1", UserAgent: "a\r\nX-Evil: b"},
			"",
			http.Header{"Authorization": {"Bearer t"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got *http.Request
			worker := new(synapse).serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
				got = r
				answerWith(200, aliceJSON)(w, r)
			})
			id, err := newTestWhoami(t, []topology.Address{worker}).Resolve(t.Context(), test.request)
			if id != alice || err != nil {
				t.Fatalf("%+v, %v", id, err)
			}
			if got.Method != http.MethodGet || got.URL.Path != "/_matrix/client/v3/account/whoami" {
				t.Errorf("%s %s", got.Method, got.URL.Path)
			}
			if diff := cmp.Diff(test.query, got.URL.RawQuery); diff != "" {
				t.Errorf("query (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.headers, got.Header); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhoamiAnswers(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	stall := func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("{"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	tests := map[string]struct {
		handler http.HandlerFunc
		err     error
		outcome string
	}{
		"a user":                    {answerWith(200, aliceJSON), nil, "found"},
		"an unknown token":          {answerWith(401, `{"errcode":"M_UNKNOWN_TOKEN"}`), ErrUnknownToken, "unknown"},
		"a locked user":             {answerWith(401, `{"errcode":"M_USER_LOCKED"}`), ErrUserLocked, "locked"},
		"a user of nobody's":        {answerWith(403, `{"errcode":"M_FORBIDDEN"}`), ErrForbidden, "forbidden"},
		"an expired token":          {answerWith(401, `{"errcode":"M_UNKNOWN_TOKEN","soft_logout":true}`), ErrTokenExpired, "expired"},
		"HTML":                      {answerWith(200, `<!DOCTYPE html><html><body>@alice:hs</body></html>`), ErrUnavailable, "error"},
		"a redirect to an answer":   {redirect, ErrUnavailable, "error"},
		"ten MiB":                   {answerWith(200, aliceJSON+strings.Repeat(" ", 10<<20)), ErrUnavailable, "error"},
		"ten MiB of a user ID":      {answerWith(200, `{"user_id":"@`+strings.Repeat("a", 10<<20)+`:hs"}`), ErrUnavailable, "error"},
		"JSON cut off":              {answerWith(200, aliceJSON[:20]), ErrUnavailable, "error"},
		"JSON of another kind":      {answerWith(200, `{"user_id":["@alice:hs"]}`), ErrUnavailable, "error"},
		"200 with an error":         {answerWith(200, `{"errcode":"M_UNKNOWN_TOKEN"}`), ErrUnavailable, "error"},
		"a fault":                   {answerWith(500, `{"errcode":"M_UNKNOWN"}`), errFault, "error"},
		"garbage":                   {answerWith(200, `<html>`), ErrUnavailable, "error"},
		"silence":                   {hang, ErrUnavailable, "timeout"},
		"silence amid the answer":   {stall, ErrUnavailable, "timeout"},
		"an end without any answer": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, errUnreachable, "unreachable"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newTestWhoami(t, []topology.Address{new(synapse).serve(t, nil, test.handler)})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := w.Resolve(ctx, Request{Token: "syt_secret"})
			if !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the token is in the error: %v", err)
			}
			if n := testutil.ToFloat64(w.requests.WithLabelValues(test.outcome)); n != 1 {
				t.Errorf("outcome %q counted %v times", test.outcome, n)
			}
		})
	}
}

func TestWhoamiFallsBack(t *testing.T) {
	var worker, main synapse
	working := worker.serve(t, nil, answerWith(200, aliceJSON))
	fallback := main.serve(t, nil, answerWith(200, aliceJSON))
	w := newTestWhoami(t, []topology.Address{unreachable(t), working}, fallback)
	resolve := func() {
		t.Helper()
		if id, err := w.Resolve(t.Context(), Request{Token: "t"}); id != alice || err != nil {
			t.Errorf("%+v, %v", id, err)
		}
	}
	for range 10 {
		resolve()
	}
	if worker.calls.Load() != 10 || main.calls.Load() != 0 {
		t.Errorf("worker %d, main %d", worker.calls.Load(), main.calls.Load())
	}
	if failed := testutil.ToFloat64(w.requests.WithLabelValues("unreachable")); failed != 1 {
		t.Errorf("the unreachable worker was tried %v times", failed)
	}
	w.SetTargets([]topology.Address{unreachable(t)}, []topology.Address{fallback})
	resolve()
	w.SetTargets(nil, []topology.Address{fallback})
	resolve()
	if main.calls.Load() != 2 {
		t.Errorf("main %d", main.calls.Load())
	}
	w.SetTargets(nil, nil)
	if _, err := w.Resolve(t.Context(), Request{Token: "t"}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without targets: %v", err)
	}
}

func TestWhoamiKeepsConnectionsOverAUnixSocket(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "w.sock"))
	if err != nil {
		t.Fatal(err)
	}
	var worker synapse
	w := newTestWhoami(t, []topology.Address{worker.serve(t, l, answerWith(200, aliceJSON))})
	for range 20 {
		if id, err := w.Resolve(t.Context(), Request{Token: "t"}); id != alice || err != nil {
			t.Fatalf("%+v, %v", id, err)
		}
	}
	if worker.calls.Load() != 20 || worker.conns.Load() != 1 {
		t.Errorf("%d calls over %d connections", worker.calls.Load(), worker.conns.Load())
	}
}

func TestWhoamiSpreadsCalls(t *testing.T) {
	var workers [3]synapse
	var targets []topology.Address
	for i := range workers {
		targets = append(targets, workers[i].serve(t, nil, answerWith(200, aliceJSON)))
	}
	w := newTestWhoami(t, targets)
	for range 30 {
		_, _ = w.Resolve(t.Context(), Request{Token: "t"})
	}
	for i := range workers {
		if n := workers[i].calls.Load(); n != 10 {
			t.Errorf("worker %d: %d calls", i, n)
		}
	}
}

func TestWhoamiRefusesWhatSynapseWould(t *testing.T) {
	var worker synapse
	w := newTestWhoami(t, []topology.Address{worker.serve(t, nil, answerWith(200, aliceJSON))})
	for name, r := range map[string]Request{
		"no token":           {},
		"two tokens":         {Token: "a b"},
		"an endless user_id": {Token: "a", UserID: strings.Repeat("a", 20_000)},
	} {
		if id, err := w.Resolve(t.Context(), r); err == nil || worker.calls.Load() != 0 {
			t.Errorf("%s: %+v, %d calls", name, id, worker.calls.Load())
		}
	}
}

func TestSixtyFourDevicesWithOneNewTokenMakeOneCall(t *testing.T) {
	var worker synapse
	address := worker.serve(t, nil, answerWith(200, aliceJSON))
	c := newTestCache(t, newTestWhoami(t, []topology.Address{address}), func(c *Config) { c.Timeout = 10 * time.Second })
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if id, err := c.Resolve(t.Context(), Request{Token: "t"}); id != alice || err != nil {
				t.Errorf("%+v, %v", id, err)
			}
		})
	}
	all.Wait()
	if worker.calls.Load() != 1 {
		t.Errorf("%d calls", worker.calls.Load())
	}
}

func TestTargets(t *testing.T) {
	listens := func(port uint16, r topology.Resource) []topology.Listener {
		return []topology.Listener{{Address: addresses(port)[0], Resources: []topology.Resource{r}}}
	}
	workers, fallback := Targets(&topology.Topology{
		Main: &topology.Worker{Name: "main", Listeners: listens(9, topology.Client)},
		Workers: []*topology.Worker{
			{Name: "client", Listeners: listens(1, topology.Client)},
			{Name: "federation", Listeners: listens(2, topology.Federation)},
			{Name: "pusher"},
		},
	})
	if diff := cmp.Diff([][]topology.Address{addresses(1), addresses(9)}, [][]topology.Address{workers, fallback}); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}
