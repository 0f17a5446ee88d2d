package server

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"axon/server/identity"
)

// sendRaw sends headers as they are: net/http would mend or refuse some of them.
func (d door) sendRaw(t *testing.T, target, headers string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", d.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", target, headers)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// TestBadInputThroughEnvoy: what a client sends may cost its own request the identity, and nothing else.
func TestBadInputThroughEnvoy(t *testing.T) {
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	socket := socketPath(t)
	serve(t, socket, Options{
		Resolver: resolver(everybody), Policy: identity.DefaultPolicy(), Registerer: reg,
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	d := openDoor(t, identityAt(socket), nil)
	const syncs = "/_matrix/client/v3/sync?since=s1"
	good := "Authorization: Bearer of_alice_secret\r\n"
	long := strings.Repeat("a", 16<<10)
	tests := map[string]struct {
		target, headers string
		status          int
		user            string
		asked           bool
	}{
		"a good token":                       {syncs, good, 200, "@alice:example.org", true},
		"two Authorization headers":          {syncs, good + "Authorization: Bearer of_bob_secret\r\n", 200, "", true},
		"the same one twice":                 {syncs, good + good, 200, "", true},
		"a lower-case bearer":                {syncs, "Authorization: bearer of_alice_secret\r\n", 200, "", true},
		"a header's name in any case":        {syncs, "aUTHORIZATION: Bearer of_alice_secret\r\n", 200, "@alice:example.org", true},
		"header and query both":              {syncs + "&access_token=of_alice_secret", good, 200, "", true},
		"an empty header":                    {syncs, "Authorization:\r\n", 200, "", true},
		"an empty header beside the query":   {syncs + "&access_token=of_alice_secret", "Authorization:\r\n", 200, "", true},
		"an empty token in the query":        {syncs + "&access_token=", "", 200, "", true},
		"16 KiB in the header":               {syncs, "Authorization: Bearer " + long + "\r\n", 200, "", true},
		"16 KiB in the query":                {syncs + "&access_token=" + long, "", 200, "", true},
		"a token beyond ASCII":               {syncs, "Authorization: Bearer of_alice_sécret\r\n", 200, "", true},
		"what is not UTF-8 comes as !":       {syncs, "Authorization: Bearer of_alice_\xff\r\n", 200, "@alice:example.org", true}, // everybody takes any token
		"an agent that is not UTF-8":         {syncs, good + "User-Agent: M\xf6bius\r\n", 200, "@alice:example.org", true},
		"a query that is not UTF-8":          {syncs + "&filter=\xf6", good, 400, "", false},
		"a percent-encoded token":            {syncs + "&access_token=%6ff%5falice_secret", "", 200, "@alice:example.org", true},
		"percent-encoded bytes of no letter": {syncs + "&access_token=of_alice_%ff%00", "", 200, "", true},
		"a badly escaped one":                {syncs + "&access_token=%zz", "", 200, "@%zz:example.org", true},
		"forged addresses":                   {syncs, good + "X-Forwarded-For: 192.0.2.1, \xff\r\n", 200, "@alice:example.org", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			before := asks(t, reg)
			response, body := d.sendRaw(t, tt.target, tt.headers)
			if response.StatusCode != tt.status {
				t.Fatalf("%s: %.300s", response.Status, body)
			}
			if tt.status == http.StatusOK {
				if got := saw(t, body).Header.Get("X-User-Identifier"); got != tt.user {
					t.Errorf("user %q, want %q", got, tt.user)
				}
			}
			if got := asks(t, reg) > before; got != tt.asked {
				t.Errorf("Axon was asked: %v, want %v", got, tt.asked)
			}
		})
	}
	if strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "panic") {
		t.Errorf("log:\n%s", &log)
	}
}

// asks are the checks that Axon has counted.
func asks(t *testing.T, reg *prometheus.Registry) (n int) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "axon_checks_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			n += int(m.GetCounter().GetValue())
		}
	}
	return n
}
