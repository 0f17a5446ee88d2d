package server

import (
	"crypto/sha256"
	"testing"

	"github.com/google/go-cmp/cmp"

	"axon/server/identity"
	"axon/xds/topology"
)

func TestAppservicesAreKnownByTheHashesOfTheirTokens(t *testing.T) {
	token := sha256.Sum256([]byte("as-secret"))
	lone := sha256.Sum256([]byte("lone-secret"))
	topo := &topology.Topology{
		Appservices:   []topology.Appservice{{ID: "telegram", Group: "bridges", Token: token}},
		Registrations: []topology.Registration{{ID: "telegram", Token: token}, {ID: "irc", Token: lone}},
	}
	if diff := cmp.Diff(Appservices{token: {ID: "telegram", Group: "bridges"}, lone: {ID: "irc"}}, AppservicesOf(topo)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	authz := NewAuthz(Options{})
	if got := authz.appserviceOf("as-secret"); got != (Appservice{}) {
		t.Errorf("before any was set: %v", got)
	}
	authz.SetAppservices(AppservicesOf(topo))
	if got := authz.appserviceOf("as-secret").Group; got != "bridges" {
		t.Errorf("group %q", got)
	}
	for _, other := range []string{"another", "lone-secret"} {
		if got := authz.appserviceOf(other); got != (Appservice{}) {
			t.Errorf("%s, of which nothing is told: %v", other, got)
		}
	}
	told := identity.DefaultPolicy()
	told.Headers.Appservice = "x-bridge"
	authz = NewAuthz(Options{Policy: told})
	authz.SetAppservices(AppservicesOf(topo))
	if got := authz.appserviceOf("lone-secret"); got != (Appservice{ID: "irc"}) {
		t.Errorf("with a header for it: %v", got)
	}
}
