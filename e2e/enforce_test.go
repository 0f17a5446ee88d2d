package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"axon/e2e/synapse"
)

// TestEnforce: with identity.enforce, Axon answers in Synapse's place, and in its words; and a token that was given through
// Axon is known without being looked up.
func TestEnforce(t *testing.T) {
	hs := synapse.Start(t, synapse.Options{Workers: synapse.Small()})
	door := startTalkative(t, hs, "identity: {enforce: true}")
	var secrets []string
	m := matrix{t: t, url: door.URL, secrets: &secrets}
	eventually(t, "Axon follows the revocations", func() bool { return door.number("axon_revocation_connected", "") == 1 })

	t.Run("what was given through Axon needs no lookup", func(t *testing.T) { checkLearned(m.in(t), door.in(t)) })

	ended, locked := m.register(), m.register()
	m.must(http.MethodGet, syncing, ended.token, nil)
	m.must(http.MethodPost, v3+"logout", ended.token, struct{}{})
	m.lockThrough(hs, locked)
	tokens := map[string]string{"no token": "", "a made-up token": "syt_YWxpY2U_made_up", "a token that has ended": ended.token, "a locked user's token": locked.token}
	for name, token := range tokens {
		t.Run(name, func(t *testing.T) {
			m, door := m.in(t), door.in(t)
			synapse := matrix{t: t, url: hs.URL, secrets: &secrets}
			eventually(t, "refused as Synapse does", func() bool {
				before := door.number("axon_requests_refused_total", "")
				got := m.do(http.MethodGet, v3+"capabilities", token, nil)
				if door.number("axon_requests_refused_total", "") == before {
					return false // by Synapse itself: Axon has not heard of it yet
				}
				if diff := cmp.Diff(synapse.do(http.MethodGet, v3+"capabilities", token, nil), got); diff != "" {
					t.Errorf("(-synapse +axon):\n%s", diff)
				}
				return true
			})
		})
	}
	t.Run("what needs no user", func(t *testing.T) {
		for _, path := range []string{"/_matrix/client/versions", v3 + "login", "/.well-known/matrix/client", v3 + "profile/" + ended.user} {
			if got := m.in(t).do(http.MethodGet, path, "", nil); got.Status == http.StatusUnauthorized || got.Status == http.StatusServiceUnavailable {
				t.Errorf("%s: %d %s", path, got.Status, got.text("errcode"))
			}
		}
	})
	checkTraces(t, secrets, door.traces())
	if t.Failed() {
		t.Logf("Axon's log:\n%s", door.output())
	}
}

func checkLearned(m matrix, door talkative) {
	m.t.Helper()
	before := door.lookups()
	first := m.register()
	m.must(http.MethodGet, syncing, first.token, nil)
	second := m.login(first)
	m.must(http.MethodGet, syncing, second.token, nil)
	refreshed := m.must(http.MethodPost, v3+"refresh", "", map[string]any{"refresh_token": second.refresh})
	m.keep(refreshed.text("access_token"), refreshed.text("refresh_token"))
	m.must(http.MethodGet, syncing, refreshed.text("access_token"), nil)
	if got := door.lookups() - before; got != 0 {
		m.t.Errorf("%v lookups", got)
	}
	if got := door.number("axon_learned_total", `"learned"`); got != 3 {
		m.t.Errorf("learned %v times", got)
	}
	if got := m.must(http.MethodGet, v3+"account/whoami", refreshed.text("access_token"), nil).text("user_id"); !strings.EqualFold(got, first.user) {
		m.t.Errorf("Synapse says %q", got)
	}
}

// lockThrough locks a user as an administrator, past Axon.
func (m matrix) lockThrough(hs *synapse.Homeserver, l login) {
	m.t.Helper()
	m.url = hs.URL
	m.lock(m.admin(hs), l, true)
}
