package topology

import (
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for name, tt := range map[string]struct {
		in, want, err string
	}{
		"an IPv4 address":             {in: "10.0.0.1:8008", want: "10.0.0.1:8008"},
		"an IPv6 address":             {in: "[::1]:8008", want: "[::1]:8008"},
		"a name":                      {in: "sync_1.internal.:1", want: "sync_1.internal.:1"},
		"localhost is an address":     {in: "localhost:8008", want: "127.0.0.1:8008"},
		"a unix socket":               {in: "unix:/run//synapse/a.sock", want: "unix:/run/synapse/a.sock"},
		"no port":                     {in: "example.org", err: "neither host:port nor unix:/path"},
		"no host":                     {in: ":8008", err: "name one to connect to"},
		"a wildcard":                  {in: "[::]:8008", err: "name one to connect to"},
		"port 0":                      {in: "a:0", err: "1 to 65535"},
		"a port that is too large":    {in: "a:65536", err: "1 to 65535"},
		"a port that is no number":    {in: "a:http", err: "1 to 65535"},
		"a host that is no host":      {in: "a b:1", err: "neither an IP address nor a name"},
		"a placeholder":               {in: "${HOST}:1", err: "is a placeholder"},
		"a socket in no known place":  {in: "unix:a.sock", err: "write it in full"},
		"a socket of too long a path": {in: "unix:/" + strings.Repeat("a", 107), err: "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseAddress(tt.in)
			switch {
			case tt.err == "" && (err != nil || got.String() != tt.want):
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("got %v, want %s", err, tt.err)
			}
		})
	}
}

func TestParseURL(t *testing.T) {
	for name, tt := range map[string]struct {
		in, want string
		tls, ok  bool
	}{
		"http has port 80":     {in: "http://mas.internal/", want: "mas.internal:80", ok: true},
		"https has port 443":   {in: "https://mas.internal", want: "mas.internal:443", tls: true, ok: true},
		"a port of its own":    {in: "http://localhost:8080/", want: "127.0.0.1:8080", ok: true},
		"IPv6":                 {in: "http://[::1]:8080/", want: "[::1]:8080", ok: true},
		"another scheme":       {in: "ftp://mas.internal/"},
		"no scheme":            {in: "mas.internal:8080"},
		"nothing":              {in: ""},
		"a placeholder":        {in: "http://${MAS}/"},
		"a port out of range":  {in: "http://a:99999/"},
		"an escape gone wrong": {in: "http://a%zz/"},
	} {
		t.Run(name, func(t *testing.T) {
			got, tls, err := parseURL(tt.in)
			if (err == nil) != tt.ok {
				t.Fatalf("got %v", err)
			}
			if tt.ok && (got.String() != tt.want || tls != tt.tls) {
				t.Errorf("got %s, %t, want %s, %t", got, tls, tt.want, tt.tls)
			}
		})
	}
}

func TestBindHost(t *testing.T) {
	for name, tt := range map[string]struct {
		bound []string
		want  string
	}{
		"nothing bound":                   {nil, ""},
		"wildcards only":                  {[]string{"0.0.0.0", "::", "", "*"}, ""},
		"IPv4 before IPv6":                {[]string{"::1", "127.0.0.1"}, "127.0.0.1"},
		"a name before IPv6":              {[]string{"::1", "localhost"}, "localhost"},
		"IPv4 before a name":              {[]string{"localhost", "10.0.0.1"}, "10.0.0.1"},
		"the first of several":            {[]string{"10.0.0.2", "10.0.0.1"}, "10.0.0.2"},
		"an address beside the wildcards": {[]string{"::", "10.0.0.1"}, "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := bindHost(tt.bound); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPlaceholder(t *testing.T) {
	for in, want := range map[string]bool{
		"${APPLICATION_NAME}": true, "$NAME": true, "{{ matrix_domain }}": true, "%NAME%": true, "<name>": true,
		"sync-1": false, "a$": false, "10%": false, "matrix-synapse-worker-sync-0": false,
	} {
		if got := placeholder.MatchString(in); got != want {
			t.Errorf("%s: got %t", in, got)
		}
	}
}
