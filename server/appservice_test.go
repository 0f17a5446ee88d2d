package server

import (
	"crypto/sha256"
	"testing"

	"github.com/google/go-cmp/cmp"

	"axon/xds/topology"
)

func TestAppservicesAreKnownByTheHashesOfTheirTokens(t *testing.T) {
	token := sha256.Sum256([]byte("as-secret"))
	topo := &topology.Topology{Appservices: []topology.Appservice{{ID: "telegram", Group: "bridges", Token: token}}}
	if diff := cmp.Diff(Appservices{token: {ID: "telegram", Group: "bridges"}}, AppservicesOf(topo)); diff != "" {
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
	if got := authz.appserviceOf("another"); got != (Appservice{}) {
		t.Errorf("another token: %v", got)
	}
}
