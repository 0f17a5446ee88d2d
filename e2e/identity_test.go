package e2e

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"axon/e2e/synapse"
)

// TestIdentity: Axon knows whose a token is after one look at Synapse, and no longer than it is true; and neither it nor
// its Envoy shows a token to anybody.
func TestIdentity(t *testing.T) {
	hs := synapse.Start(t, synapse.Options{Workers: synapse.Small()})
	r := redisOf(t, hs)
	door := startTalkative(t, hs)
	var secrets []string
	m := matrix{t: t, url: door.URL, secrets: &secrets}
	eventually(t, "Axon follows the revocations", func() bool { return door.number("axon_revocation_connected", "") == 1 })

	for name, ending := range endings {
		t.Run(name, func(t *testing.T) {
			m, door := m.in(t), door.in(t)
			first := m.register()
			second := m.login(first)
			door.known(m, first)
			door.known(m, second)
			before := door.revoked()
			ending.end(m, first, second)
			eventually(t, "Axon hears of it", func() bool { return door.revoked() > before })
			if ending.first {
				door.refused(m, first, "M_UNKNOWN_TOKEN")
			}
			if ending.second {
				door.refused(m, second, "M_UNKNOWN_TOKEN")
			}
		})
	}
	t.Run("a locked user, who comes back", func(t *testing.T) { checkLockedAtDoor(t, hs, m.in(t), door.in(t)) })
	t.Run("Redis that is away changes nothing but this", func(t *testing.T) { checkDoorWithoutRedis(t, r, m.in(t), door.in(t)) })
	t.Run("a worker that dies", func(t *testing.T) { checkDoorWithoutWorker(t, hs, m.in(t), door.in(t)) })
	t.Run("no secret shows anywhere", func(t *testing.T) {
		spoilt(m.in(t))
		if !strings.Contains(door.output(), "level=DEBUG") {
			t.Error("the log is not at the debug level: this test shows nothing")
		}
		checkTraces(t, append(secrets, secretsOf(t, hs)...), door.in(t).traces())
	})
	if t.Failed() {
		t.Logf("Axon's log:\n%s", door.output())
	}
}

// syncing is a request whose route depends on the user, so that Axon is asked.
const syncing = v3 + "sync?timeout=0"

// known uses a token for the first time, which costs a lookup at most (none where the login told), and once more, which
// costs none.
func (d talkative) known(m matrix, l login) {
	m.t.Helper()
	before := d.lookups()
	m.must(http.MethodGet, syncing, l.token, nil)
	if got := d.lookups() - before; got > 1 {
		m.t.Errorf("%v lookups for one new token", got)
	}
	eventually(m.t, "a known token costs no lookup", func() bool { // the flush after Redis came back may lie in between
		before := d.lookups()
		m.must(http.MethodGet, syncing, l.token, nil)
		return d.lookups() == before
	})
}

// refused shows that a token is known no longer: its next request costs a lookup, and Synapse refuses it. A worker may
// take a token for up to 150 ms after its end.
func (d talkative) refused(m matrix, l login, code string) {
	m.t.Helper()
	before := d.lookups()
	a := m.do(http.MethodGet, syncing, l.token, nil)
	if d.lookups() == before {
		m.t.Error("no lookup: Axon remembers a token that has ended")
	}
	eventually(m.t, "Synapse refuses the token", func() bool {
		a = m.do(http.MethodGet, syncing, l.token, nil)
		return a.Status == http.StatusUnauthorized
	})
	if a.text("errcode") != code {
		m.t.Errorf("the error is %s, want %s", a.text("errcode"), code)
	}
}

func checkLockedAtDoor(t *testing.T, hs *synapse.Homeserver, m matrix, door talkative) {
	direct := m
	direct.url = hs.URL // Axon lets nobody to the admin API
	admin := direct.admin(hs)
	locked := m.register()
	door.known(m, locked)
	before := door.revoked()
	direct.lock(admin, locked, true)
	eventually(t, "Axon hears of it", func() bool { return door.revoked() > before })
	door.refused(m, locked, "M_USER_LOCKED")
	direct.lock(admin, locked, false)
	eventually(t, "the user is back", func() bool {
		return m.do(http.MethodGet, syncing, locked.token, nil).Status == http.StatusOK
	})
}

func checkDoorWithoutRedis(t *testing.T, r redisServer, m matrix, door talkative) {
	l := m.register()
	door.known(m, l)
	flushes := door.number("axon_revocation_flushes_total", `reason="connected"`)
	r.kill()
	eventually(t, "Axon knows", func() bool { return door.number("axon_revocation_connected", "") == 0 })
	door.known(m, l) // and remembers
	r.start()
	eventually(t, "Axon is back, and forgot everything", func() bool {
		return door.number("axon_revocation_flushes_total", `reason="connected"`) > flushes
	})
	before := door.lookups()
	m.must(http.MethodGet, syncing, l.token, nil)
	if door.lookups() == before {
		t.Error("no lookup: Axon remembers what it had from before")
	}
	eventually(t, "logouts are heard of again", func() bool {
		before, again := door.revoked(), m.login(l)
		m.must(http.MethodPost, v3+"logout", again.token, struct{}{})
		return door.revoked() > before
	})
}

// checkDoorWithoutWorker is here for what it has Axon and Envoy say in their logs.
func checkDoorWithoutWorker(t *testing.T, hs *synapse.Homeserver, m matrix, door talkative) {
	const worker = "generic-worker-1"
	l, unknown := m.register(), "mat_"+rand.Text()
	m.keep(unknown)
	hs.Kill(worker)
	for range 4 { // lookups take turns
		m.do(http.MethodGet, syncing, unknown+rand.Text(), nil)
	}
	eventually(t, "a new token is served", func() bool { return m.do(http.MethodGet, syncing, l.token, nil).Status == http.StatusOK })
	hs.Restart(worker)
}

// spoilt sends tokens in each way in which they can be sent, and in some in which they cannot.
func spoilt(m matrix) {
	good := m.register()
	made := "syt_bWFkZXVw_" + rand.Text()[:20] + "_000000"
	opaque := "mat_" + rand.Text() + rand.Text()
	m.keep(made, opaque)
	for _, token := range []string{good.token, made, opaque} {
		query := "?access_token=" + url.QueryEscape(token)
		m.do(http.MethodGet, v3+"sync", token, nil)
		m.do(http.MethodGet, v3+"sync"+query, "", nil)
		m.do(http.MethodGet, v3+"sync"+query, token, nil)
		m.do(http.MethodGet, v3+"no/such/path"+query, token, nil)
		m.do(http.MethodGet, "/nowhere"+query, token, nil)
		m.do(http.MethodGet, v3+"%2e%2e/sync"+query, token, nil)
		m.do(http.MethodPost, v3+"refresh", "", map[string]any{"refresh_token": token})
	}
	m.do(http.MethodPost, v3+"login", "", map[string]any{"type": "m.login.token", "token": opaque})
}

// secretsOf are the shared secrets of a homeserver's files.
func secretsOf(t *testing.T, hs *synapse.Homeserver) []string {
	t.Helper()
	text, err := os.ReadFile(hs.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, found := range regexp.MustCompile(`(?m)^\w*secret\w*: (\S+)$`).FindAllStringSubmatch(string(text), -1) {
		all = append(all, found[1])
	}
	if len(all) < 3 {
		t.Errorf("%d secrets in homeserver.yaml, want those for replication, registration and macaroons", len(all))
	}
	return all
}

func checkTraces(t *testing.T, secrets []string, traces map[string]string) {
	t.Helper()
	t.Logf("%d secrets, %d places", len(secrets), len(traces))
	for where, text := range traces {
		for _, secret := range secrets {
			if strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) {
				t.Errorf("%s holds a secret that begins with %.6s", where, secret)
			}
		}
	}
}
