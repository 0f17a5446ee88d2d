package table

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPaths(t *testing.T) {
	tests := map[string]struct {
		regex string
		want  []string // some of them
	}{
		"every version":                   {`^/_matrix/client/(api/v1|r0|v3)/joined_rooms$`, []string{"/_matrix/client/api/v1/joined_rooms", "/_matrix/client/r0/joined_rooms", "/_matrix/client/v3/joined_rooms"}},
		"versions that share a beginning": {`^/_matrix/federation/(v1|v2)/a$`, []string{"/_matrix/federation/v1/a", "/_matrix/federation/v2/a"}},
		"every spelling of a room":        {`^/(?P<room_id>[^/]*)/x$`, []string{"/!r:example.org/x", "/%21r%3Aexample.org/x", "/!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM/x"}},
		"an alias with a slash":           {`^/join/(?P<room_identifier>[^/]*)$`, []string{"/join/%23a%2Fb%3Aexample.org"}},
		"optional parts":                  {`^/a(/(?P<session_id>[^/]+))?$`, []string{"/a", "/a/s1"}},
		"a slash at the end or not":       {`^/send/(?P<transaction_id>[^/]*)/?$`, []string{"/send/login", "/send/login/", "/send/m1763713000123.1/"}},
		"a choice in a named group":       {`^/(?P<membership_action>join|kick)$`, []string{"/join", "/kick"}},
		"whatever follows":                {`^/health(/.*)?$`, []string{"/health", "/health/", "/health/a/b"}},
		"dots that were not escaped":      {`^/org.matrix\.msc1$`, []string{"/org.matrix.msc1"}},
		"nothing that does not match":     {`^/(?P<idp_id>[a-z]+)$`, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Paths(tt.regex)
			for _, path := range tt.want {
				if err != nil || !slices.Contains(got, path) {
					t.Errorf("%s: no %s in %q, %v", tt.regex, path, got, err)
				}
			}
			if tt.want == nil && err == nil {
				t.Errorf("%s: no error for a pattern that nothing known matches: %q", tt.regex, got)
			}
		})
	}
}

func TestReadable(t *testing.T) {
	tests := map[string]struct{ regex, want string }{
		"places have names":  {`^/rooms/(?P<room_id>[^/]*)/typing/(?P<user_id>[^/]*)$`, "/rooms/{room_id}/typing/{user_id}"},
		"choices stay":       {`^/(r0|v3)/(?P<membership_action>join|kick)$`, "/(r0|v3)/(join|kick)"},
		"dots are dots":      {`^/org\.matrix.msc(?:1|2)$`, "/org.matrix.msc(1|2)"},
		"parts are optional": {`^/room_keys/keys(/(?P<room_id>[^/]+))?$`, "/room_keys/keys(/{room_id})?"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Readable(tt.regex)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
