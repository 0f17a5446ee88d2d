package identity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"axon/xds/topology"
)

// lines is a log that is written to from everywhere.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// metricsOf is what a scrape sees.
func metricsOf(reg *prometheus.Registry) string {
	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

func topologyOf(server string, main topology.Address) *topology.Topology {
	return &topology.Topology{ServerName: server, Main: &topology.Worker{
		Name: "main", Listeners: []topology.Listener{{Address: main, Resources: []topology.Resource{topology.Client}}},
	}}
}

func TestTheConfigurationOrdersTheResolvers(t *testing.T) {
	m := newStandin()
	var main synapse
	whoami := main.serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer as_token" {
			answerWith(200, `{"user_id":"@irc:hs"}`)(w, r)
			return
		}
		answerWith(200, aliceJSON)(w, r)
	})
	hs := written(t, "homeserver.yaml", fmt.Sprintf("matrix_authentication_service: {enabled: true, endpoint: '%s', secret: '%s'}", m.serve(t), masTestSecret))
	tests := map[string]struct {
		resolvers     []string
		token         string
		want          string
		mas, synapses int // calls
	}{
		"whoami alone is the default":               {DefaultConfig().Resolvers, "mat_oauth", "@alice:hs", 0, 1},
		"introspection first knows OAuth's tokens":  {[]string{"introspection", "whoami"}, "mat_oauth", "@alice:hs", 1, 0},
		"and asks Synapse about the others":         {[]string{"introspection", "whoami"}, "as_token", "@irc:hs", 1, 1},
		"but not about those that ended":            {[]string{"introspection", "whoami"}, "mat_ended", "", 1, 0},
		"introspection alone":                       {[]string{"introspection"}, "as_token", "", 1, 0},
		"native first asks nobody before":           {[]string{"native", "whoami"}, aliceNative, "@alice:hs", 0, 1},
		"native leaves other tokens to those after": {[]string{"native", "introspection", "whoami"}, "mat_oauth", "@alice:hs", 1, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := DefaultConfig()
			config.Resolvers, config.Timeout = test.resolvers, 10*time.Second
			f, err := New(t.Context(), Options{Config: config, HomeserverFiles: []string{hs}, Registerer: prometheus.NewRegistry()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			f.SetTopology(topologyOf("hs", whoami))
			masBefore, synapsesBefore := m.asked(), main.calls.Load()
			id, _ := f.Resolve(t.Context(), Request{Token: test.token})
			deadline := time.Now().Add(10 * time.Second)
			for int(main.calls.Load()-synapsesBefore) < test.synapses && time.Now().Before(deadline) {
				time.Sleep(time.Millisecond) // what happens in the background
			}
			got := []int{m.asked() - masBefore, int(main.calls.Load() - synapsesBefore)}
			if diff := cmp.Diff([]int{test.mas, test.synapses}, got); id.UserID != test.want || diff != "" {
				t.Errorf("user %q, want %q; calls of MAS and Synapse (-want +got):\n%s", id.UserID, test.want, diff)
			}
		})
	}
}

func TestNewSaysAllThatIsWrongWithFiles(t *testing.T) {
	config := DefaultConfig()
	config.Resolvers = []string{"introspection", "whoami"}
	config.Introspection = &IntrospectionConfig{Endpoint: "http://mas", SecretPath: "no-mas-secret"}
	config.Redis = &RedisConfig{Address: "127.0.0.1:6379", SecretPath: "no-redis-secret"}
	dir := t.TempDir()
	_, err := New(t.Context(), Options{Config: config, Dir: dir})
	if err == nil {
		t.Fatal("no error")
	}
	want := fmt.Sprintf("identity.introspection: secret file %s: no such file or directory\n"+
		"identity.redis.secret_path: secret file %s: no such file or directory",
		filepath.Join(dir, "no-mas-secret"), filepath.Join(dir, "no-redis-secret"))
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

// TestNoTokenIsEverWritten lets everything happen that can happen to a token, with the log at its most talkative, and
// looks for tokens and secrets in all that comes out.
func TestNoTokenIsEverWritten(t *testing.T) {
	redis := startRedis(t)
	m := newStandin()
	var main synapse
	var ill, hung sync.Map
	whoami := main.serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if _, ok := ill.Load(token); ok {
			answerWith(500, token)(w, r)
			return
		}
		if _, ok := hung.Load(token); ok {
			<-r.Context().Done()
			return
		}
		switch {
		case strings.HasSuffix(token, "html"):
			answerWith(200, "<html>"+token)(w, r)
		case strings.HasSuffix(token, "elsewhere"):
			answerWith(200, `{"user_id":"@`+token+`:elsewhere"}`)(w, r)
		case strings.HasSuffix(token, "unknown"):
			answerWith(401, `{"errcode":"M_UNKNOWN_TOKEN","error":"`+token+`"}`)(w, r)
		default:
			answerWith(200, aliceJSON)(w, r)
		}
	})
	const redisSecret = "hush-the-secret-of-redis"
	hs := written(t, "homeserver.yaml", fmt.Sprintf("matrix_authentication_service: {enabled: true, endpoint: '%s', secret: '%s'}", m.serve(t), masTestSecret))
	config := DefaultConfig()
	config.Resolvers = []string{"native", "introspection", "whoami"}
	config.Timeout = 50 * time.Millisecond
	config.Redis = &RedisConfig{Address: "unix:" + redis.socket, SecretPath: written(t, "secret", redisSecret)}
	reg, log := prometheus.NewRegistry(), &lines{}
	f, err := New(t.Context(), Options{
		Config: config, ServerName: "hs", HomeserverFiles: []string{hs}, Registerer: reg,
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	f.SetTopology(topologyOf("hs", whoami))

	var said []string
	ask := func(token, userID string) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := f.Resolve(ctx, Request{Token: token, UserID: userID, UserAgent: "Element", ForwardedFor: "203.0.113.7"}); err != nil {
			said = append(said, err.Error())
		}
	}
	for _, kind := range []string{"good", "html", "elsewhere", "unknown", "two words", "lf\n", "ä"} {
		for _, prefix := range []string{"hush_", "mat_hush_", "syt_aHVzaA_"} {
			ask(prefix+kind, "")
			ask(prefix+kind, "@_hush:hs")
		}
	}
	f.Learn("hush_learned", alice, time.Time{})
	f.Forget("hush_good")
	f.ForgetUser("@alice:hs")
	f.Flush()
	for i := range 2 * tripAfter {
		token := fmt.Sprint("hush_ill", i)
		if i >= tripAfter {
			token = fmt.Sprint("hush_hung", i)
			hung.Store(token, true)
		}
		ill.Store(token, i < tripAfter)
		if i >= tripAfter {
			ill.Delete(token)
		}
		ask(token, "")
	}
	m.mu.Lock()
	m.instead = answerWith(500, "hush")
	m.mu.Unlock()
	redis.kill()
	for i := range 2 * tripAfter {
		ask(fmt.Sprint("mat_hush_late", i), "")
	}
	all := map[string]string{"the log": log.String(), "an error": strings.Join(said, "\n"), "a metric": metricsOf(reg)}
	for where, text := range all {
		if len(text) < 100 {
			t.Errorf("hardly anything in %s: %q", where, text)
		}
		for line := range strings.SplitSeq(text, "\n") {
			if strings.Contains(line, "hush") || strings.Contains(line, "aHVzaA") || strings.Contains(line, masTestSecret) {
				t.Errorf("a token or a secret is in %s: %s", where, line)
			}
		}
	}
	for _, resolver := range []string{"whoami", "introspection", "redis"} {
		if want := `axon_identity_breaker_opened_total{resolver="` + resolver + `"} 1`; !strings.Contains(all["a metric"], want) {
			t.Errorf("not so much happened as should have: no %s", want)
		}
	}
}

// A cold start: each token is looked up once, however many requests carry it, at once or one after the other.
func TestOneWhoamiForEachToken(t *testing.T) {
	const tokens, users = 10_000, 5_000
	tests := map[string]struct{ atOnce, tokens int }{
		"10,000 tokens, three requests each":     {3, tokens},
		"64 requests at once with a new token":   {64, 1},
		"1000 requests at once with a new token": {1000, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var workers [3]synapse
			top := topologyOf("hs", topology.Address{Host: "127.0.0.1", Port: 1})
			for i := range workers {
				address := workers[i].serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
					var n int
					_, _ = fmt.Sscanf(r.Header.Get("Authorization"), "Bearer token%d", &n)
					answerWith(200, fmt.Sprintf(`{"user_id":"@user%d:hs","device_id":"D%d"}`, n%users, n))(w, r)
				})
				top.Workers = append(top.Workers, &topology.Worker{
					Name: fmt.Sprint("worker-", i), Listeners: []topology.Listener{{Address: address, Resources: []topology.Resource{topology.Client}}},
				})
			}
			config := DefaultConfig()
			config.Timeout, config.MaxInFlight = 10*time.Second, 2000 // of a busy machine
			f, err := New(t.Context(), Options{Config: config})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			f.SetTopology(top)
			askAll(t, f, test.tokens, test.atOnce, users)
			var calls int64
			for i := range workers {
				calls += workers[i].calls.Load()
			}
			if calls != int64(test.tokens) {
				t.Errorf("%d calls for %d tokens", calls, test.tokens)
			}
		})
	}
}

// askAll has so many requests at once carry each of the tokens, 32 tokens at a time.
func askAll(t *testing.T, f *Finder, tokens, atOnce, users int) {
	t.Helper()
	var clients sync.WaitGroup
	for first := range min(tokens, 32) {
		clients.Go(func() {
			for n := first; n < tokens; n += 32 {
				var all sync.WaitGroup
				for range atOnce {
					all.Go(func() {
						id, err := f.Resolve(t.Context(), Request{Token: fmt.Sprint("token", n)})
						if want := fmt.Sprintf("@user%d:hs", n%users); id.UserID != want || err != nil {
							t.Errorf("%+v, %v, want %s", id, err, want)
						}
					})
				}
				all.Wait()
			}
		})
	}
	clients.Wait()
}

func TestASlowTokenDoesNotHoldUpOthers(t *testing.T) {
	slow := make(chan struct{})
	defer close(slow)
	c := newTestCache(t, &resolver{answer: func(_ context.Context, r Request) (Identity, error) {
		if r.Token == "slow" {
			<-slow
		}
		return alice, nil
	}})
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	go func() { _, _ = c.Resolve(ctx, Request{Token: "slow"}) }()
	for i := range 1000 {
		if id, err := c.Resolve(t.Context(), Request{Token: fmt.Sprint(i)}); id != alice || err != nil {
			t.Fatalf("%+v, %v", id, err)
		}
	}
	if _, err := c.Resolve(canceled(), Request{Token: "slow"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
