package affinity

import (
	"strings"
	"testing"
)

func TestUserKey(t *testing.T) {
	tests := map[string]struct{ userID, want string }{
		"the localpart in unpadded base64, as in a native token": {"@alice:example.org", "YWxpY2U"},
		"a port in the server name":                              {"@alice:example.org:8448", "YWxpY2U"},
		"a localpart with a slash":                               {"@a/b:example.org", "YS9i"},
		"no sigil":                                               {"alice:example.org", ""},
		"no server":                                              {"@alice", ""},
		"no localpart":                                           {"@:example.org", ""},
		"nothing":                                                {"", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := UserKey(tt.userID); got != tt.want {
				t.Errorf("UserKey(%q) = %q, want %q", tt.userID, got, tt.want)
			}
		})
	}
}

func TestUserKeyIsTheNativeTokens(t *testing.T) {
	if got, want := BearerKey("Bearer syt_YWxpY2U_SdxJrYNBrPJpQhOmpUuX_2XTbQC"), UserKey("@alice:example.org"); got != want {
		t.Errorf("Envoy alone hashes %q, with Axon %q", got, want)
	}
}

func TestRoomKeyIsOneForAllSpellings(t *testing.T) {
	spellings := []string{
		"/_matrix/client/v3/rooms/!abc:example.org/messages?dir=b",
		"/_matrix/client/r0/rooms/%21abc:example.org/send/m.room.message/1",
		"/_matrix/client/api/v1/rooms/!abc%3Aexample.org/state",
		"/_matrix/client/v3/rooms/%21abc%3aexample.org%3A8448/event/$x",
		"/_matrix/client/v3/rooms/!abc/members",
		"/_matrix/client/v3/join/!abc:example.org?server_name=a",
		"/_matrix/client/unstable/org.matrix.msc2432/rooms/!abc/aliases",
		"/_matrix/client/v1/room_summary/!abc:example.org",
		"/_matrix/client/v3/rooms/!abc",
	}
	for _, path := range spellings {
		if got := RoomKey(path); got != "abc" {
			t.Errorf("RoomKey(%q) = %q", path, got)
		}
	}
}

func TestRoomKey(t *testing.T) {
	tests := map[string]struct{ path, want string }{
		"a domainless room of version 12": {"/_matrix/client/v3/rooms/!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM/messages", "31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM"},
		"an alias":                        {"/_matrix/client/v3/join/%23cats%3Aexample.org", "cats"},
		"an alias with encoded letters":   {"/_matrix/client/v3/join/%23caf%C3%A9%3Aexample.org", "caf%C3%A9"},
		"a room in the query only":        {"/_matrix/client/v3/search?room=/!abc:x", "/_matrix/client/v3/search?room=/!abc:x"},
		"no room":                         {"/_matrix/client/v3/rooms/abc/messages", "/_matrix/client/v3/rooms/abc/messages"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := RoomKey(tt.path); got != tt.want {
				t.Errorf("RoomKey(%q) = %q, want %q", tt.path, got, tt.want)
			}
		})
	}
}

func TestOriginKey(t *testing.T) {
	same := []string{
		`X-Matrix origin=remote.org,key="ed25519:1",sig="abc"`,
		`X-Matrix origin="remote.org",destination="x",key="ed25519:1",sig="abc"`,
		`X-Matrix key="ed25519:1", origin="remote.org", sig="abc"`,
		`x-matrix Origin = "remote.org",key="k",sig="s"`,
		`X-Matrix xorigin="evil.org",origin="remote.org",sig="s"`,
	}
	for _, header := range same {
		if got := OriginKey(header); got != "remote.org" {
			t.Errorf("OriginKey(%q) = %q", header, got)
		}
	}
	if header := `X-Matrix key="k"`; OriginKey(header) != header {
		t.Errorf("a header without origin is hashed whole, not as %q", OriginKey(header))
	}
}

func FuzzKeys(f *testing.F) {
	f.Add("/_matrix/client/v3/rooms/!abc:example.org/messages", "Bearer syt_YWxpY2U_x_y")
	f.Fuzz(func(t *testing.T, path, header string) {
		if key := RoomKey(path); key != path && (key == "" || !strings.Contains(path, key)) {
			t.Errorf("RoomKey(%q) = %q", path, key)
		}
		_, _, _ = BearerKey(header), OriginKey(header), UserKey(header)
	})
}
