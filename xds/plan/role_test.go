package plan

import (
	"slices"
	"testing"

	"axon/xds/topology"
)

func TestCallingOf(t *testing.T) {
	tests := map[string]struct {
		groups     []GroupName
		background bool
	}{
		"generic-sync-1":                         {groups: []GroupName{Sync}},
		"generic-sync-initial":                   {groups: []GroupName{InitialSync}},
		"initial-synchrotron":                    {groups: []GroupName{InitialSync}},
		"synchrotron":                            {groups: []GroupName{Sync}},
		"matrix-synapse-worker-sync-0":           {groups: []GroupName{Sync}},
		"Sync_Worker2":                           {groups: []GroupName{Sync}},
		"generic-federation-presence":            {groups: []GroupName{FederationInbound, FederationReader}},
		"federation-inbound":                     {groups: []GroupName{FederationInbound}},
		"federation_reader1":                     {groups: []GroupName{FederationReader}},
		"federation-sender-1":                    {background: true},
		"pusher1":                                {background: true},
		"appservice-0":                           {background: true},
		"client-reader-0":                        {groups: []GroupName{ClientReader}},
		"event-creator":                          {groups: []GroupName{EventCreator}},
		"room-worker-0":                          {groups: []GroupName{EventCreator}},
		"sso-login":                              {groups: []GroupName{Login, SSO}},
		"media-repository-0":                     {groups: []GroupName{Media}},
		"user-dir-0":                             {groups: []GroupName{UserDirectory}},
		"event-persister":                        {},
		"stream-writer-typing-0":                 {},
		"generic_worker1":                        {},
		"matrix-synapse-worker-stream-writer-0":  {},
		"asynchronous":                           {},
		"unmediated-worker":                      {},
		"matrix-synapse-worker-generic-worker-0": {},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := callingOf(&topology.Worker{Name: name, App: "synapse.app.generic_worker"})
			if !slices.Equal(c.groups, tt.groups) || c.background != tt.background {
				t.Errorf("%v background %v, want %v %v", c.groups, c.background, tt.groups, tt.background)
			}
		})
	}
}

func TestAHistoricalAppSpeaksWhereTheNameDoesNot(t *testing.T) {
	tests := map[string]struct {
		app  string
		want []GroupName
	}{
		"worker1": {"synapse.app.synchrotron", []GroupName{Sync}},
		"worker2": {"synapse.app.user_dir", []GroupName{UserDirectory}},
		"sync-3":  {"synapse.app.client_reader", []GroupName{Sync}},
	}
	for name, tt := range tests {
		if c := callingOf(&topology.Worker{Name: name, App: tt.app}); !slices.Equal(c.groups, tt.want) {
			t.Errorf("%s of %s: %v, want %v", name, tt.app, c.groups, tt.want)
		}
	}
}

func TestIsNeutral(t *testing.T) {
	for name, want := range map[string]bool{"generic_worker1": true, "worker2": true, "synapse-a": true, "typing-persister": false, "event-persister-1": false} {
		if isNeutral(name) != want {
			t.Errorf("isNeutral(%q) = %v", name, !want)
		}
	}
}
