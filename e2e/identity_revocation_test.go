package e2e

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"axon/e2e/synapse"
	"axon/server/revocation"
)

// forgotten is a revocation.Forgetter that counts.
type forgotten struct {
	mu            sync.Mutex
	tokens, users map[string]int
	flushes       int
}

func (f *forgotten) Forget(token string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens[token]++
}

func (f *forgotten) ForgetUser(userID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users[userID]++
}

func (f *forgotten) Flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flushes++
}

func (f *forgotten) token(token string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tokens[token] > 0
}

func (f *forgotten) user(userID string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.users[userID]
}

func (f *forgotten) everything() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.flushes
}

// listener follows the revocations of a homeserver.
type listener struct {
	*forgotten
	metrics *prometheus.Registry
	log     bytes.Buffer // to be read after end
	end     func()
}

func listen(t *testing.T, hs *synapse.Homeserver, r redisServer) *listener {
	t.Helper()
	l := &listener{forgotten: &forgotten{tokens: map[string]int{}, users: map[string]int{}}, metrics: prometheus.NewRegistry()}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := revocation.Follow(ctx, revocation.Options{
			Address: r.Address.String(), Credentials: r.Credentials, Channel: hs.ServerName, Forgetter: l.forgotten,
			Log: slog.New(slog.NewTextHandler(&l.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Registerer: l.metrics,
		})
		if err != nil {
			t.Errorf("follow: %v", err)
		}
	}()
	l.end = func() { cancel(); <-done }
	t.Cleanup(l.end)
	eventually(t, "the follower is connected", func() bool { return l.everything() == 1 })
	return l
}

// TestRevocation: what a real Synapse tells through a real Redis when tokens end, and what is made of it.
func TestRevocation(t *testing.T) {
	hs := synapse.Start(t, synapse.Options{Workers: synapse.Small()})
	r := redisOf(t, hs)
	var secrets []string
	m := matrix{t: t, url: hs.URL, secrets: &secrets}
	links := r.links() // Synapse's
	l := listen(t, hs, r)

	for name, ending := range endings {
		t.Run(name, func(t *testing.T) {
			m := m.in(t)
			first := m.register()
			second := m.login(first)
			ending.end(m, first, second)
			eventually(t, "the ended tokens are forgotten", func() bool {
				return (!ending.first || l.token(first.token)) && (!ending.second || l.token(second.token))
			})
			m.mark(l)
			if l.token(first.token) != ending.first || l.token(second.token) != ending.second {
				t.Errorf("forgotten: first %t, second %t", l.token(first.token), l.token(second.token))
			}
		})
	}
	t.Run("a locked user", func(t *testing.T) { checkLocked(t, m.in(t), l, m.in(t).admin(hs)) })
	t.Run("logins, refreshed tokens and renamed devices end nothing", func(t *testing.T) { checkHarmless(t, m.in(t), l) })
	t.Run("most are noticed within a second", func(t *testing.T) { checkLag(t, l) })
	t.Run("logouts are noticed after a worker started again", func(t *testing.T) { checkRestart(t, hs, m.in(t), l) })
	t.Run("a line that was lost on its way to Redis", func(t *testing.T) { checkLostLine(t, r, links, m.in(t), l) })
	t.Run("Redis that starts again may have lost something", func(t *testing.T) { checkLostRedis(t, r, m.in(t), l) })
	l.end()
	for _, secret := range secrets {
		if strings.Contains(l.log.String(), secret) {
			t.Errorf("the log holds a secret:\n%s", l.log.String())
		}
	}
}

// mark returns when all that Synapse said until now has been heard.
func (m matrix) mark(l *listener) {
	m.t.Helper()
	marker := m.register()
	m.must(http.MethodPost, v3+"logout", marker.token, struct{}{})
	eventually(m.t, "the marker is forgotten", func() bool { return l.token(marker.token) })
}

func checkLocked(t *testing.T, m matrix, l *listener, admin login) {
	locked := m.register()
	m.mark(l)
	before := l.user(locked.user)
	m.lock(admin, locked, true)
	eventually(t, "the locked user is forgotten", func() bool { return l.user(locked.user) > before })
	m.mark(l)
	before = l.user(locked.user)
	m.lock(admin, locked, false)
	eventually(t, "the unlocked user is forgotten", func() bool { return l.user(locked.user) > before })
}

func checkHarmless(t *testing.T, m matrix, l *listener) {
	first := m.register()
	second := m.login(first)
	a := m.must(http.MethodPost, v3+"refresh", "", map[string]any{"refresh_token": second.refresh})
	m.must(http.MethodGet, v3+"joined_rooms", a.text("access_token"), nil)
	m.must(http.MethodPut, v3+"devices/"+first.device, first.token, map[string]any{"display_name": "renamed"})
	m.mark(l)
	if l.token(first.token) || l.token(second.token) || l.user(first.user) > 0 {
		t.Errorf("forgotten: first %t, second %t, user %d times", l.token(first.token), l.token(second.token), l.user(first.user))
	}
}

// checkLag asks only for most: everything else that runs on the machine counts, too.
func checkLag(t *testing.T, l *listener) {
	h := metric(t, l.metrics, "axon_revocation_lag_seconds").Histogram
	t.Logf("%d events, %.0f ms from Synapse on average", h.GetSampleCount(), 1000*h.GetSampleSum()/float64(h.GetSampleCount()))
	for _, b := range h.Bucket {
		if b.GetUpperBound() == 1 && 2*b.GetCumulativeCount() < h.GetSampleCount() {
			t.Errorf("%d of %d events took more than a second", h.GetSampleCount()-b.GetCumulativeCount(), h.GetSampleCount())
		}
	}
}

// checkRestart allows for a flush: a number of the stream that was taken and not used looks like a lost line.
func checkRestart(t *testing.T, hs *synapse.Homeserver, m matrix, l *listener) {
	const worker = "generic-worker-2"
	before := l.everything()
	hs.Kill(worker)
	hs.Restart(worker)
	m.mark(l)
	t.Logf("%d flushes by the start of a worker", l.everything()-before)
}

// checkLostLine has Synapse say something while it has no connection to Redis, and Axon has one.
func checkLostLine(t *testing.T, r redisServer, links []string, m matrix, l *listener) {
	lost := m.register()
	m.mark(l)
	before := l.everything()
	r.cut(links)
	m.must(http.MethodPost, v3+"logout", lost.token, struct{}{})
	eventually(t, "the token is forgotten after all", func() bool { return l.token(lost.token) || l.everything() > before })
	t.Logf("the line arrived: %t", l.token(lost.token))
	if got := metric(t, l.metrics, "axon_revocation_connected").Gauge.GetValue(); got != 1 {
		t.Error("Axon lost its own connection: this test shows nothing")
	}
}

func checkLostRedis(t *testing.T, r redisServer, m matrix, l *listener) {
	lost, kept := m.register(), m.register()
	before := l.everything()
	r.kill()
	m.must(http.MethodPost, v3+"logout", lost.token, struct{}{})
	r.start()
	eventually(t, "everything is forgotten", func() bool { return l.everything() > before })
	eventually(t, "Synapse is back, too", func() bool {
		again := m.login(kept)
		m.must(http.MethodPost, v3+"logout", again.token, struct{}{})
		return l.token(again.token)
	})
	if l.token(lost.token) {
		t.Error("what was said while Redis was away was heard: this test shows nothing")
	}
}

// metric is the first of its name.
func metric(t *testing.T, reg *prometheus.Registry, name string) *dto.Metric {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.Metric[0]
		}
	}
	t.Fatalf("no metric %s", name)
	return nil
}
