package plan

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTemplate(t *testing.T) {
	tests := map[string]struct {
		template      string
		match, differ []string
		prefixes      []string
	}{
		"a literal path": {
			template: "/versions", match: []string{"/versions"}, differ: []string{"/version", "/versions/", "/versionsx"},
			prefixes: []string{"/versions"},
		},
		"a choice of literals": {
			template: "/{api/v1,r0}/sync", match: []string{"/api/v1/sync", "/r0/sync"}, differ: []string{"/v1/sync"},
			prefixes: []string{"/api/v1/sync", "/r0/sync"},
		},
		"a segment is not empty and has no slash": {
			template: "/rooms/*/send", match: []string{"/rooms/!a:b/send", "/rooms/a%2Fb/send"}, differ: []string{"/rooms//send", "/rooms/a/b/send"},
			prefixes: []string{"/rooms/"},
		},
		"the rest may be nothing": {
			template: "/media/**", match: []string{"/media/", "/media/x/y"}, differ: []string{"/media"},
			prefixes: []string{"/media/"},
		},
		"dots are only dots": {
			template: "/a.b/*", match: []string{"/a.b/c"}, differ: []string{"/axb/c"},
			prefixes: []string{"/a.b/"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := ParseTemplate(tt.template)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range tt.match {
				if !template.Match(path) {
					t.Errorf("%q does not match", path)
				}
			}
			for _, path := range tt.differ {
				if template.Match(path) {
					t.Errorf("%q matches", path)
				}
			}
			if diff := cmp.Diff(tt.prefixes, template.Prefixes()); diff != "" {
				t.Errorf("prefixes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseTemplateRefuses(t *testing.T) {
	for _, text := range []string{"", "rooms", "/rooms/{a", "/rooms/a}", "/**/more", "/{*}"} {
		if _, err := ParseTemplate(text); err == nil {
			t.Errorf("ParseTemplate(%q) gives no error", text)
		}
	}
}

func TestUnderKeepsWhatIsLeft(t *testing.T) {
	tests := map[string]struct {
		template, prefix string
		want             []string // as expressions
	}{
		"its own prefix":                          {"/rooms/*/send", "/rooms/", []string{`/rooms/[^/]+/send`}},
		"a shorter prefix has another node":       {"/rooms/*/send", "/", nil},
		"a longer prefix, into a segment":         {"/client/*/login", "/client/v3/login", []string{`/client/v3/login`}},
		"a prefix that ends inside a segment":     {"/client/*/login", "/client/v", []string{`/client/v[^/]*/login`}},
		"literals behind a segment are not a key": {"/client/*/login/sso", "/client/v3/login", []string{`/client/v3/login/sso`}},
		"the rest":                             {"/client/**", "/client/v3/sync", []string{`/client/v3/sync.*`}},
		"another path":                         {"/client/*/login", "/client/v3/sync", nil},
		"a choice that the prefix makes":       {"/{a,b}/x", "/b/x", []string{`/b/x`}},
		"a choice that the prefix leaves open": {"/{v1,v11}/*", "/v1", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			template, err := ParseTemplate(tt.template)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, narrowed := range template.Under(tt.prefix) {
				got = append(got, narrowed.Regex())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q under %q: %q, want %q", tt.template, tt.prefix, got, tt.want)
			}
		})
	}
}
