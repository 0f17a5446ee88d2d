package plan

import (
	"slices"
	"strings"
	"testing"
)

func TestNeedsUser(t *testing.T) {
	tests := map[string]struct {
		method, target string
		want           bool
	}{
		"a sync":                                      {"GET", "/_matrix/client/v3/sync?since=s1", true},
		"sliding sync":                                {"POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", true},
		"sending":                                     {"PUT", "/_matrix/client/v3/rooms/!a:b/send/m.room.message/1", true},
		"its preflight does not":                      {"OPTIONS", "/_matrix/client/v3/rooms/!a:b/send/m.room.message/1", false},
		"capabilities":                                {"GET", "/_matrix/client/v3/capabilities", true},
		"versions do not":                             {"GET", "/_matrix/client/versions", false},
		"nor do versions with a query":                {"GET", "/_matrix/client/versions?x=/_matrix/client/v3/sync", false},
		"nor does discovery":                          {"GET", "/.well-known/matrix/client", false},
		"logging in does not":                         {"POST", "/_matrix/client/r0/login", false},
		"nor asking how":                              {"GET", "/_matrix/client/v3/login", false},
		"nor registering":                             {"POST", "/_matrix/client/v3/register?kind=guest", false},
		"nor proving an address for it":               {"POST", "/_matrix/client/v3/register/email/requestToken", false},
		"nor refreshing":                              {"POST", "/_matrix/client/v3/refresh", false},
		"logging out does not: locked users may":      {"POST", "/_matrix/client/v3/logout/all", false},
		"a token for another login":                   {"POST", "/_matrix/client/v1/login/get_token", true},
		"password_policy does not":                    {"GET", "/_matrix/client/v3/password_policy", false},
		"a forgotten password does not":               {"POST", "/_matrix/client/v3/account/password", false},
		"deactivating":                                {"POST", "/_matrix/client/v3/account/deactivate", true},
		"single sign-on does not":                     {"GET", "/_matrix/client/v3/login/sso/redirect/x", false},
		"nor does its metadata":                       {"GET", "/_matrix/client/v1/auth_metadata", false},
		"reading a profile does not":                  {"GET", "/_matrix/client/v3/profile/@a:b/displayname", false},
		"writing one":                                 {"PUT", "/_matrix/client/v3/profile/@a:b/displayname", true},
		"reading public rooms does not":               {"GET", "/_matrix/client/v3/publicRooms", false},
		"searching them":                              {"POST", "/_matrix/client/v3/publicRooms", true},
		"resolving an alias does not":                 {"GET", "/_matrix/client/v3/directory/room/%23a:b", false},
		"making one":                                  {"PUT", "/_matrix/client/v3/directory/room/%23a:b", true},
		"a room's summary does not":                   {"GET", "/_matrix/client/v1/room_summary/!a:b", false},
		"its messages":                                {"GET", "/_matrix/client/v3/rooms/!a:b/messages", true},
		"media of old do not":                         {"GET", "/_matrix/media/r0/download/b/x/name.png", false},
		"media":                                       {"GET", "/_matrix/client/v1/media/download/b/x", true},
		"uploads":                                     {"POST", "/_matrix/media/v3/upload", true},
		"federation does not":                         {"PUT", "/_matrix/federation/v1/send/1", false},
		"nor do keys":                                 {"GET", "/_matrix/key/v2/server", false},
		"nor does the admin API, which asks itself":   {"GET", "/_synapse/admin/v1/users", false},
		"nor do paths that are not Synapse's":         {"GET", "/index.html", false},
		"client paths that nobody knows":              {"GET", "/_matrix/client/v3/brand_new", true},
		"a transaction that is called like an open":   {"PUT", "/_matrix/client/v3/rooms/!a/send/m.room.message/versions", true},
		"a delayed event is updated without":          {"POST", "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/1", false},
		"delayed events are listed by their user":     {"GET", "/_matrix/client/unstable/org.matrix.msc4140/delayed_events", true},
		"a room alias in the place of an open prefix": {"GET", "/_matrix/client/v3/rooms/versions/messages", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := NeedsUser(tt.method, tt.target); got != tt.want {
				t.Errorf("%s %s: %v, want %v", tt.method, tt.target, got, tt.want)
			}
		})
	}
}

// TestOpenPathsAreTheRowsOwn: under enforce a row's open paths stand before its others, and must not take what is another row's.
func TestOpenPathsAreTheRowsOwn(t *testing.T) {
	for _, r := range slices.Concat(table, delegatedTable, delegatedHostTable, wellKnownTable, mediaRepoTable) {
		paths, open, err := r.templates()
		if err != nil {
			t.Fatal(err)
		}
		for _, template := range open {
			for _, path := range samples(template.String()) {
				if !slices.ContainsFunc(paths, func(p Template) bool { return p.Match(path) }) {
					t.Errorf("row %q: %s is open and none of its paths", r.name, path)
				}
			}
		}
	}
}

// samples are paths of a template: every choice of its braces, with something for each star.
func samples(template string) []string {
	before, rest, found := strings.Cut(template, "{")
	if !found {
		return []string{strings.NewReplacer("**", "x/y", "*", "!a:b.c").Replace(template)}
	}
	choices, after, _ := strings.Cut(rest, "}")
	var all []string
	for choice := range strings.SplitSeq(choices, ",") {
		all = append(all, samples(before+choice+after)...)
	}
	return all
}

func BenchmarkNeedsUser(b *testing.B) {
	for b.Loop() {
		NeedsUser("GET", "/_matrix/client/v3/brand_new")
	}
}
