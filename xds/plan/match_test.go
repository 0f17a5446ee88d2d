package plan

import "testing"

func TestMatch(t *testing.T) {
	topo := homeserver("sync-1", "sync-2", "initial-1", "federation-1", "creator", "client-reader")
	p := build(t, topo, nil)
	tests := map[string]struct {
		method, path, want string
		admin              bool
	}{
		"an incremental sync":                    {"GET", "/_matrix/client/v3/sync?since=s1&timeout=30000", "sync", false},
		"a sync without since":                   {"GET", "/_matrix/client/v3/sync?timeout=0", "sync_initial", false},
		"a sync with an empty since":             {"GET", "/_matrix/client/v3/sync?since=&timeout=0", "sync_initial", false},
		"full_state beats since":                 {"GET", "/_matrix/client/v3/sync?since=s1&full_state=true", "sync_full_state", false},
		"full_state=false does not":              {"GET", "/_matrix/client/v3/sync?full_state=false&since=s1", "sync", false},
		"sliding sync begins":                    {"POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", "sliding_sync_initial", false},
		"sliding sync goes on":                   {"POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?pos=5", "sliding_sync", false},
		"sending":                                {"PUT", "/_matrix/client/v3/rooms/!a:b/send/m.room.message/1", "send", false},
		"reading history":                        {"GET", "/_matrix/client/v3/rooms/%21a/messages?dir=b", "room_reads", false},
		"state is written":                       {"PUT", "/_matrix/client/v3/rooms/!a/state/m.room.name/", "send_state", false},
		"state is read":                          {"GET", "/_matrix/client/v3/rooms/!a/state/m.room.name/", "room_reads", false},
		"typing":                                 {"PUT", "/_matrix/client/v3/rooms/!a/typing/@a:b", "typing", false},
		"a receipt":                              {"POST", "/_matrix/client/v3/rooms/!a/receipt/m.read/$e", "receipts", false},
		"another user's presence":                {"GET", "/_matrix/client/v3/presence/@a:b/status", "presence", false},
		"push rules are read":                    {"GET", "/_matrix/client/v3/pushrules/", "client_reads", false},
		"push rules are written":                 {"PUT", "/_matrix/client/v3/pushrules/global/room/!a", "push_rules", false},
		"a transaction ID that looks like login": {"PUT", "/_matrix/client/v3/rooms/!a/send/m.room.message/login", "send", false},
		"logout is main's":                       {"POST", "/_matrix/client/v3/logout", "main", false},
		"a token for another login is main's":    {"POST", "/_matrix/client/v1/login/get_token", "main", false},
		"a delayed event is updated on main":     {"POST", "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/1", "main", false},
		"delayed events are listed on a worker":  {"GET", "/_matrix/client/unstable/org.matrix.msc4140/delayed_events", "client_reads", false},
		"authenticated media":                    {"GET", "/_matrix/client/v1/media/download/b/x", "media", false},
		"media for another server":               {"GET", "/_matrix/federation/v1/media/download/x", "media", false},
		"a transaction":                          {"PUT", "/_matrix/federation/v1/send/1", "federation_send", false},
		"a join from another server":             {"PUT", "/_matrix/federation/v2/send_join/!a/$e", "federation_reads", false},
		"server keys":                            {"GET", "/_matrix/key/v2/server", "keys", false},
		"a preflight":                            {"OPTIONS", "/_matrix/client/v3/sync", "preflight", false},
		"the admin API for strangers":            {"GET", "/_synapse/admin/v1/server_version", "not_found", false},
		"the admin API for administrators":       {"GET", "/_synapse/admin/v1/server_version", "admin", true},
		"a user is read on a worker":             {"GET", "/_synapse/admin/v2/users/@a:b", "admin_user", true},
		"a user is written on main":              {"PUT", "/_synapse/admin/v2/users/@a:b", "admin", true},
		"what the delegated service calls":       {"GET", "/_synapse/mas/query_user", "not_found", true},
		"a dot segment":                          {"GET", "/_matrix/../_synapse/admin/v1/users", "dot_segments", true},
		"an encoded dot segment":                 {"GET", "/_matrix/%2e%2e/x", "dot_segments", false},
		"dots in a query":                        {"GET", "/_matrix/client/v3/sync?since=../x", "sync", false},
		"the root":                               {"GET", "/", "not_found", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := p.Match(Request{Method: tt.method, Path: tt.path, Admin: tt.admin}).Name; got != tt.want {
				t.Errorf("%s %s: %s, want %s", tt.method, tt.path, got, tt.want)
			}
		})
	}
}
