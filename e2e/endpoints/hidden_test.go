package main

import (
	"strings"
	"testing"
)

func TestNoneHidden(t *testing.T) {
	tests := map[string]struct{ answer, want string }{
		"another path":                         {`{"Endpoints": [{"Method": "GET", "Regex": "^/a$"}, {"Method": "POST", "Regex": "^/b$", "Rank": 1}]}`, ""},
		"the special before the general":       {`{"Endpoints": [{"Method": "POST", "Regex": "^/a/new$"}, {"Method": "GET", "Regex": "^/a/(?P<x>[^/]*)$", "Rank": 1}]}`, ""},
		"the general first, without a method":  {`{"Endpoints": [{"Method": "POST", "Regex": "^/a/new$", "Rank": 1}, {"Method": "GET", "Regex": "^/a/(?P<x>[^/]*)$"}]}`, "POST /a/new: hidden by"},
		"the general first, with every method": {`{"Endpoints": [{"Method": "GET", "Regex": "^/a/new$", "Rank": 1}, {"Method": "GET", "Regex": "^/a/(?P<x>[^/]*)$"}]}`, ""},
		"a pattern that RE2 cannot read":       {`{"Endpoints": [{"Method": "GET", "Regex": "^/a(?!b)"}]}`, "invalid or unsupported"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := noneHidden([]byte(tt.answer)); err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
