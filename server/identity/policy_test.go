package identity

import (
	"strings"
	"testing"

	"axon/yamlfile"
)

func TestPolicyFaults(t *testing.T) {
	file, err := yamlfile.Parse("axon.yaml", []byte("identity:\n  headers:\n    device: x\n"))
	if err != nil {
		t.Fatal(err)
	}
	headers := func(change func(*Headers)) Policy {
		p := DefaultPolicy()
		change(&p.Headers)
		return p
	}
	tests := map[string]struct {
		policy Policy
		fault  string
	}{
		"the default":                {DefaultPolicy(), ""},
		"no header at all":           {Policy{}, ""},
		"another name":               {headers(func(h *Headers) { h.User = "remote-user" }), ""},
		"capitals":                   {headers(func(h *Headers) { h.Device = "X-Device" }), `axon.yaml:3:5: identity.headers.device: "X-Device": must be`},
		"underscores":                {headers(func(h *Headers) { h.Guest = "x_guest" }), "x_guest"},
		"too many dashes":            {headers(func(h *Headers) { h.Guest = "a-b-c-d-e-f" }), "four dashes"},
		"too long":                   {headers(func(h *Headers) { h.Guest = strings.Repeat("a", 65) }), "headers.guest"},
		"a pseudo header":            {headers(func(h *Headers) { h.User = ":path" }), ":path"},
		"the token's header":         {headers(func(h *Headers) { h.User = "authorization" }), "another meaning"},
		"the client's address":       {headers(func(h *Headers) { h.User = "x-forwarded-for" }), "another meaning"},
		"Axon's own":                 {headers(func(h *Headers) { h.User = "x-axon-affinity" }), "another meaning"},
		"one name for two":           {headers(func(h *Headers) { h.Device = "x-user-identifier" }), "is the name of headers.user, too"},
		"failing open without need":  {Policy{FailOpen: true}, "fail_open"},
		"enforcing and failing open": {Policy{Enforce: true, FailOpen: true}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.policy.validate(file)
			if (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("fault %v, want %q", err, tt.fault)
			}
		})
	}
}

func TestLocalpart(t *testing.T) {
	for userID, want := range map[string]string{"@alice:example.org": "alice", "@a@b:[::1]:8448": "a@b", "": ""} {
		if got := Localpart(userID); got != want {
			t.Errorf("%q: %q, want %q", userID, got, want)
		}
	}
}
