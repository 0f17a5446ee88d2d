package identity

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		want   Identity
		err    error
	}{
		"a user":                           {200, `{"user_id":"@a:hs","is_guest":false,"device_id":"D"}`, Identity{UserID: "@a:hs", DeviceID: "D"}, nil},
		"a guest":                          {200, `{"user_id":"@1:hs","is_guest":true,"device_id":"D"}`, Identity{UserID: "@1:hs", DeviceID: "D", Guest: true}, nil},
		"an application service":           {200, `{"user_id":"@irc:hs:8448","is_guest":false}`, Identity{UserID: "@irc:hs:8448"}, nil},
		"an IPv6 server name":              {200, `{"user_id":"@a:[::1]:8448"}`, Identity{UserID: "@a:[::1]:8448"}, nil},
		"a historical user ID":             {200, `{"user_id":"@Jürgen/é=x:hs"}`, Identity{UserID: "@Jürgen/é=x:hs"}, nil},
		"a device ID that is no text":      {200, `{"user_id":"@a:hs","device_id":"a\nb"}`, Identity{UserID: "@a:hs"}, nil},
		"a logged out or made-up token":    {401, `{"errcode":"M_UNKNOWN_TOKEN","soft_logout":false}`, Identity{}, ErrUnknownToken},
		"what Synapse does not call token": {401, `{"errcode":"M_MISSING_TOKEN"}`, Identity{}, ErrUnknownToken},
		"a token that was to be refreshed": {401, `{"errcode":"M_UNKNOWN_TOKEN","soft_logout":true}`, Identity{}, ErrTokenExpired},
		"an expired account":               {403, `{"errcode":"ORG_MATRIX_EXPIRED_ACCOUNT"}`, Identity{}, ErrAccountExpired},
		"a locked user":                    {401, `{"errcode":"M_USER_LOCKED","soft_logout":true}`, Identity{}, ErrUserLocked},
		"outside of the namespace":         {403, `{"errcode":"M_FORBIDDEN"}`, Identity{}, ErrForbidden},
		"401 of something else":            {401, `<html>`, Identity{}, ErrUnavailable},
		"403 of something else":            {403, `{}`, Identity{}, ErrUnavailable},
		"the authentication service down":  {503, `{"errcode":"M_UNKNOWN"}`, Identity{}, errFault},
		"500 that says forbidden":          {500, `{"errcode":"M_FORBIDDEN"}`, Identity{}, ErrUnavailable},
		"a redirect":                       {302, ``, Identity{}, ErrUnavailable},
		"not JSON":                         {200, `ok`, Identity{}, ErrUnavailable},
		"JSON of another kind":             {200, `["@a:hs"]`, Identity{}, ErrUnavailable},
		"no user ID":                       {200, `{}`, Identity{}, ErrUnavailable},
		"a user ID without server":         {200, `{"user_id":"@a"}`, Identity{}, ErrUnavailable},
		"a user ID without localpart":      {200, `{"user_id":"@:hs"}`, Identity{}, ErrUnavailable},
		"a user ID without sigil":          {200, `{"user_id":"a:hs"}`, Identity{}, ErrUnavailable},
		"a user ID that ends a header":     {200, `{"user_id":"@a\r\nX-Evil: b:hs"}`, Identity{}, ErrUnavailable},
		"a server name that ends a header": {200, `{"user_id":"@a:hs\r\nX-Evil: b"}`, Identity{}, ErrUnavailable},
		"a user ID with a space":           {200, `{"user_id":"@a b:hs"}`, Identity{}, ErrUnavailable},
		"a user ID that is too long":       {200, `{"user_id":"@` + strings.Repeat("a", 255) + `:hs"}`, Identity{}, ErrUnavailable},
		"an endless answer":                {200, `{"user_id":"@a:hs"}` + strings.Repeat(" ", maxAnswer), Identity{}, ErrUnavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parse(test.status, []byte(test.body))
			if !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("identity (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(200, []byte(`{"user_id":"@a:hs","is_guest":false,"device_id":"D"}`))
	f.Add(401, []byte(`{"errcode":"M_UNKNOWN_TOKEN"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		id, err := parse(status, body)
		if (err == nil) == (id == Identity{}) {
			t.Fatalf("%+v, %v: neither a user nor a fault, or both", id, err)
		}
		for _, text := range []string{id.UserID, id.DeviceID} {
			if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
				t.Fatalf("%q could not be a header", text)
			}
		}
	})
}
