package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"axon/e2e/synapse"
	"axon/server/identity"
	"axon/xds/topology"
)

const bridge = `id: irc
url: null
as_token: as-secret-of-irc
hs_token: hs-secret-of-irc
sender_localpart: ircbot
rate_limited: false
namespaces:
  users:
    - {regex: '@irc_.*', exclusive: true}
    - {regex: '@(shared|common)\d', exclusive: false}
`

// TestAppservices: by the registration's file alone, Axon says whom a bridge may be as Synapse does.
func TestAppservices(t *testing.T) {
	registration := filepath.Join(t.TempDir(), "irc.yaml")
	if err := os.WriteFile(registration, []byte(bridge), 0o600); err != nil {
		t.Fatal(err)
	}
	hs := synapse.Start(t, synapse.Options{Config: fmt.Sprintf("app_service_config_files: ['%s']\n", registration)})
	m := matrix{t: t, url: hs.URL, secrets: new([]string)}
	const token = "as-secret-of-irc"
	for _, localpart := range []string{"irc_alice", "shared1x", "common2"} {
		m.must(http.MethodPost, v3+"register", token, map[string]any{"type": "m.login.application_service", "username": localpart})
	}
	stranger := m.register()

	topo, err := topology.Load(topology.Config{Synapse: topology.SynapseConfig{Config: []string{hs.ConfigPath}}}, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	metrics := prometheus.NewRegistry()
	finder, err := identity.New(t.Context(), identity.Options{Config: identity.DefaultConfig(), Registerer: metrics})
	if err != nil {
		t.Fatal(err)
	}
	defer finder.Close()
	finder.SetTopology(topo)

	at := func(localpart string) string { return "@" + localpart + ":" + hs.ServerName }
	for name, userID := range map[string]string{
		"itself":                  "",
		"itself, by its name":     at("ircbot"),
		"a user of its namespace": at("irc_alice"),
		"one of the namespace that others may use, with more behind": at("shared1x"),
		"another of that":               at("common2"),
		"one with nothing to fit":       at("common"),
		"a stranger":                    stranger.user,
		"one with the namespace inside": at("x_irc_alice"),
		"one in upper case":             at("IRC_alice"),
		"another server's user":         "@irc_alice:elsewhere.example",
	} {
		t.Run(name, func(t *testing.T) {
			path := v3 + "account/whoami"
			if userID != "" {
				path += "?user_id=" + url.QueryEscape(userID)
			}
			synapseSays := m.in(t).do(http.MethodGet, path, token, nil).text("user_id")
			got, err := finder.Resolve(t.Context(), identity.Request{Token: token, UserID: userID})
			if got.UserID != synapseSays {
				t.Errorf("Axon says %q (%v), Synapse %q", got.UserID, err, synapseSays)
			}
		})
	}
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, series := range f.GetMetric() {
			if f.GetName() == "axon_whoami_requests_total" && series.GetCounter().GetValue() != 0 {
				t.Errorf("whoami was asked: %v", series)
			}
		}
	}
}
