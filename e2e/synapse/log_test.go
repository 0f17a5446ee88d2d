package synapse

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseLog(t *testing.T) {
	const prefix = "2026-01-02 03:04:05,678 - synapse.access.http.20001 - 644 - INFO - GET-7 - "
	const work = " Processed request: 0.003sec/0.001sec ru=(0.002sec, 0.000sec) db=(0.001sec/0.001sec/1) "
	tests := map[string]struct {
		line string
		want []Request
		err  bool
	}{
		"a user's request": {
			line: prefix + `127.0.0.1 - 20001 - {@a:axon.test}` + work + `12B 200 "PUT /a%2Fb?x=1 HTTP/1.1" "nio 1" [0 dbevts]`,
			want: []Request{{
				Worker: "w", Method: "PUT", Path: "/a%2Fb", Query: "x=1", Status: 200,
				User: "@a:axon.test", Agent: "nio 1", Client: "127.0.0.1",
			}},
		},
		"nobody's request, without a User-Agent": {
			line: prefix + `::1 - 20001 - {None}` + work + `12B 404 "GET /a HTTP/1.1" "-" [0 dbevts]`,
			want: []Request{{Worker: "w", Method: "GET", Path: "/a", Status: 404, Agent: "-", Client: "::1"}},
		},
		"an administrator in a user's place": {
			line: prefix + `::1 - 20001 - {@admin:x|@a:x}` + work + `1B 200 "GET /a HTTP/1.1" "-" [0 dbevts]`,
			want: []Request{{Worker: "w", Method: "GET", Path: "/a", Status: 200, User: "@admin:x", Agent: "-", Client: "::1"}},
		},
		"a client that went away": {
			line: prefix + `::1 - 20001 - {None}` + work + `0B 200! "GET /a HTTP/1.1" "-" [0 dbevts]`,
			want: []Request{{Worker: "w", Method: "GET", Path: "/a", Status: 200, Agent: "-", Client: "::1", Cut: true}},
		},
		"a unix socket, and quotes in the User-Agent": {
			line: strings.ReplaceAll(prefix, "20001", "unix") + `/run/w.sock - unix - {None}` + work +
				`5B 200 "GET /a HTTP/1.1" "a "b" c" [2 dbevts]`,
			want: []Request{{Worker: "w", Method: "GET", Path: "/a", Status: 200, Agent: `a "b" c`, Client: "/run/w.sock"}},
		},
		"one process asking another": {
			line: prefix + `::1 - 20001 - {None}` + work + `5B 200 "POST /_synapse/replication/x/y HTTP/1.1" "Synapse" [0 dbevts]`,
		},
		"another logger's line": {
			line: "2026-01-02 03:04:05,678 - synapse.storage - 1 - INFO - GET-7 - Processed request: nothing",
		},
		"an access line in a form that is not known": {
			line: prefix + "Processed request: differently",
			err:  true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseLog("w", "first line\n"+test.line+"\n")
			if (err != nil) != test.err {
				t.Fatalf("error: %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
