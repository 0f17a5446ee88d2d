package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"

	"axon/envoy/envoytest"
)

// fenced is a block of YAML in a document.
var fenced = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// fragment is the YAML block of docs/envoy.md that begins so, indented.
func fragment(t *testing.T, start string, indent int) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/envoy.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range fenced.FindAllStringSubmatch(string(text), -1) {
		if strings.HasPrefix(block[1], start) {
			return strings.ReplaceAll(strings.TrimRight(block[1], "\n"), "\n", "\n"+strings.Repeat(" ", indent))
		}
	}
	t.Fatalf("docs/envoy.md has no block that begins with %q", start)
	return ""
}

// ownEnvoy is an Envoy that nobody told of Axon but the documents.
const ownEnvoy = `
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: FRONT}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: own
          MANAGER
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /}
                ROUTE
  clusters:
  - name: sync
    lb_policy: RING_HASH
    load_assignment: {cluster_name: sync, endpoints: [{lb_endpoints: [SYNC]}]}
  - name: axon_authz
    load_assignment: {cluster_name: axon_authz, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: AUTHZ}}}}]}]}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
`

// TestIdentityAloneAsTheDocsHaveIt runs Axon without listeners behind an Envoy that is configured by the fragments of
// docs/envoy.md.
func TestIdentityAloneAsTheDocsHaveIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	port := func(address string) string { return address[strings.LastIndex(address, ":")+1:] }
	authz := freeAddress(t)
	s.write(t, "axon.yaml", fmt.Sprintf("synapse: {config: [homeserver.yaml], workers: [workers]}\nauthz: {address: '0.0.0.0:%s'}\nadmin: {address: '%s'}\n", port(authz), s.admin))
	p := s.launch(t, "axon", "run", "-c", s.path("axon.yaml"))
	eventually(t, "ready without a snapshot", func() error { return gives(s.admin, "/readyz", http.StatusOK) })

	var sync []string
	for _, name := range []string{"sync-1", "sync-2", "sync-3"} {
		sync = append(sync, fmt.Sprintf("{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}}", s.workers[name].Port()))
	}
	text := strings.NewReplacer(
		"FRONT", port(s.front), "AUTHZ", port(authz), "SYNC", strings.Join(sync, ", "),
		"MANAGER", fragment(t, "use_remote_address", 10), "ROUTE", fragment(t, "request_headers_to_remove", 16),
	).Replace(ownEnvoy)
	json, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	bootstrap := &bootstrapv3.Bootstrap{}
	if err := protojson.Unmarshal(json, bootstrap); err != nil {
		t.Fatal(err)
	}
	envoytest.Start(t, bootstrap)

	forged := []string{"X-User-Identifier", "@evil:example.org", "x_user_identifier", "@evil:example.org", "X-Axon-Affinity", "evil"}
	at := map[string]string{}
	eventually(t, "a user behind both tokens", func() error {
		for _, u := range s.users {
			for _, token := range []string{u.native, u.opaque} {
				got, err := s.ask(http.MethodGet, syncNow, token, forged...)
				switch {
				case err != nil:
					return err
				case got.status != http.StatusOK || got.user != u.id:
					return fmt.Errorf("%+v, want %s", got, u.id)
				case at[u.id] != "" && at[u.id] != got.worker:
					return fmt.Errorf("%s is at %s and %s", u.id, at[u.id], got.worker)
				}
				at[u.id] = got.worker
			}
		}
		return nil
	})
	if got := s.axon(t, "status", "--admin", s.admin); got.code != 0 {
		t.Errorf("axon status: %+v", got)
	}
	p.signal(t, syscall.SIGTERM)
	<-p.ended
	if !p.command.ProcessState.Success() {
		t.Errorf("ended with %s", p.command.ProcessState)
	}
	got, err := s.ask(http.MethodGet, syncNow, s.users[0].native, forged...)
	if err != nil || got.status != http.StatusOK || got.user != "" {
		t.Errorf("with Axon away: %+v, %v", got, err)
	}
}

// gives says whether a page of the admin server has the status.
func gives(admin, path string, status int) error {
	response, err := http.Get("http://" + admin + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != status {
		return fmt.Errorf("%s: %d: %s", path, response.StatusCode, body)
	}
	return nil
}
