package translate

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"axon/envoy/envoytest"
	"axon/xds/plan"
	"axon/xds/topology"
)

// behind is what an upstream saw of a request.
type behind struct {
	Who, Host, Target string
	Header            http.Header
}

// standIn answers with what it saw. It stands for Synapse, for the Matrix Authentication Service, whose plain text errors it gives on
// demand, and for matrix-media-repo.
func standIn(t *testing.T, who string) topology.Address {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status := r.Header.Get("X-Fail"); status == "415" {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusUnsupportedMediaType)
			_, _ = io.WriteString(w, "Expected request with `Content-Type: application/json`")
			return
		}
		if who == "mas" {
			w.Header().Set("Access-Control-Allow-Origin", "https://one.example")
		}
		_ = json.NewEncoder(w).Encode(behind{who, r.Host, r.RequestURI, r.Header})
	}))
	t.Cleanup(server.Close)
	address, err := topology.ParseAddress(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// splitDomain is a homeserver with everything beside it, behind a listener for clients and one that sends them to https.
func splitDomain(t *testing.T) *plan.Plan {
	t.Helper()
	all := []topology.Resource{topology.Client, topology.Federation, topology.Media, topology.Keys}
	topo := &topology.Topology{
		ServerName:    "example.org",
		Main:          &topology.Worker{Name: "main", MediaRepo: true, Listeners: []topology.Listener{{Address: standIn(t, "main"), Resources: all}}},
		StreamWriters: map[topology.Stream][]string{},
		DelegatedAuth: &topology.Service{Address: standIn(t, "mas")},
		MediaRepo:     &topology.Service{Address: standIn(t, "media_repo")},
	}
	for _, stream := range topology.Streams {
		topo.StreamWriters[stream] = []string{"main"}
	}
	plain, secure := listenerFor(t), listenerFor(t)
	p, err := plan.Build(topo, plan.Config{
		Listeners: []plan.ListenerConfig{{Address: plain.Address.String()}, {Address: secure.Address.String(), RedirectHTTPS: true}},
		VirtualHosts: []plan.VirtualHostConfig{
			{Domains: []string{"auth.example.org"}, Serves: "delegated_auth"},
			{Domains: []string{"example.org", "*.example.net"}, Serves: "well_known"},
		},
		WellKnown: &plan.WellKnownConfig{
			Server: "matrix.example.org:443",
			Client: map[string]any{"m.homeserver": map[string]any{"base_url": "https://matrix.example.org"}, "org.example.extra": []any{"x"}},
		},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatClientsSee(t *testing.T) {
	p := splitDomain(t)
	static, err := Static(Translate(p))
	if err != nil {
		t.Fatal(err)
	}
	envoytest.Start(t, &bootstrapv3.Bootstrap{Node: &corev3.Node{Id: "test", Cluster: "test"}, StaticResources: static})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	f := front{address: p.Listeners[0].Address.String(), client: client}
	f.wait(t)

	tests := map[string]struct {
		method, host, path string
		header             map[string]string
		listener           int
		status             int
		who, sees          string            // the upstream, and a part of what it saw
		answers            string            // a part of the body
		headers            map[string]string // of the answer
	}{
		"server discovery is answered by Envoy": {
			path: "/.well-known/matrix/server", status: 200, answers: `{"m.server":"matrix.example.org:443"}`,
			headers: map[string]string{"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"},
		},
		"client discovery too, extra keys and all": {
			host: "example.org", path: "/.well-known/matrix/client", status: 200, answers: `"org.example.extra":["x"]`,
			headers: map[string]string{"Access-Control-Allow-Origin": "*"},
		},
		"a preflight of it":                           {method: "OPTIONS", path: "/.well-known/matrix/client", status: 200, headers: map[string]string{"Access-Control-Allow-Origin": "*"}},
		"what is not said is asked of Synapse":        {host: "example.org", path: "/.well-known/matrix/support", status: 200, who: "main"},
		"the users' domain has nothing else":          {host: "example.org", path: "/_matrix/client/versions", status: 404, answers: "M_UNRECOGNIZED"},
		"nor has a wildcard's":                        {host: "a.example.net:8448", path: "/_matrix/client/versions", status: 404},
		"every other name has everything":             {host: "matrix.example.org", path: "/_matrix/client/versions", status: 200, who: "main"},
		"logins go to the authentication service":     {method: "POST", path: "/_matrix/client/v3/login", status: 200, who: "mas", headers: map[string]string{"Access-Control-Allow-Origin": "https://one.example"}},
		"under any version":                           {method: "POST", path: "/_matrix/client/vX/logout/all", status: 200, who: "mas"},
		"what it does not serve goes to Synapse":      {path: "/_matrix/client/v1/login/get_token", status: 200, who: "main"},
		"its metadata too":                            {path: "/_matrix/client/v1/auth_metadata", status: 200, who: "main"},
		"its plain errors are mended":                 {method: "POST", path: "/_matrix/client/v3/refresh", header: map[string]string{"X-Fail": "415"}, status: 415, answers: "M_NOT_JSON", headers: map[string]string{"Access-Control-Allow-Origin": "*"}},
		"its own host name has its pages":             {host: "auth.example.org", path: "/authorize?x=1", status: 200, who: "mas", sees: "/authorize?x=1"},
		"with a port, too":                            {host: "auth.example.org:8448", path: "/oauth2/token", status: 200, who: "mas"},
		"but not its internal ones":                   {host: "auth.example.org", path: "/health", status: 404, answers: "M_UNRECOGNIZED"},
		"nor its admin API":                           {host: "auth.example.org", path: "/api/admin/v1/users", status: 404},
		"what it asks Synapse is not for the public":  {path: "/_synapse/mas/query_user", status: 404},
		"media goes to the media repository":          {path: "/_matrix/media/v3/config", host: "matrix.example.org", status: 200, who: "media_repo", sees: `"Host":"example.org"`},
		"authenticated media too":                     {path: "/_matrix/client/v1/media/config", status: 200, who: "media_repo"},
		"media for other servers too":                 {path: "/_matrix/federation/v1/media/download/x", status: 200, who: "media_repo"},
		"X-Forwarded-For is Envoy's alone":            {path: "/_matrix/client/versions", header: map[string]string{"X-Forwarded-For": "192.0.2.1"}, status: 200, sees: `"X-Forwarded-For":["127.0.0.1"]`},
		"a client's identity does not get through":    {path: "/_matrix/client/versions", header: map[string]string{"X-User-Identifier": "@evil:x", "X_User_Identifier": "@evil:x", "X-User_identifier": "@evil:x", "X-Axon-Affinity": "k", "x_axon_group": "g"}, status: 200, sees: `"Header":{"Accept-Encoding"`},
		"the path keeps its bytes":                    {path: "/_matrix/client/v3/rooms/%21a%3Ab/state/m.x/%2F%7e?a=%2f", status: 200, sees: "/_matrix/client/v3/rooms/%21a%3Ab/state/m.x/%2F%7e?a=%2f"},
		"dot segments are refused":                    {path: "/_matrix/%2e%2e/_synapse/admin", status: 400, answers: "M_UNKNOWN", headers: map[string]string{"Access-Control-Allow-Origin": "*"}},
		"what Synapse does not show is not found":     {path: "/_synapse/admin/v1/users", status: 404, answers: "M_UNRECOGNIZED", headers: map[string]string{"Content-Type": "application/json"}},
		"the other listener sends everybody to https": {method: "PUT", listener: 1, host: "matrix.example.org", path: "/_matrix/%2F?x=%7e", status: 308, headers: map[string]string{"Location": "https://matrix.example.org/_matrix/%2F?x=%7e"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			response, body := f.send(t, p.Listeners[tt.listener].Address.String(), tt.method, tt.host, tt.path, tt.header)
			if response.StatusCode != tt.status || !strings.Contains(body, tt.answers) {
				t.Errorf("status %d, want %d with %q: %s", response.StatusCode, tt.status, tt.answers, body)
			}
			if tt.who != "" && !strings.Contains(body, `"Who":"`+tt.who+`"`) || !strings.Contains(body, tt.sees) {
				t.Errorf("want %q to see %q: %s", tt.who, tt.sees, body)
			}
			for header, want := range tt.headers {
				if got := strings.Join(response.Header.Values(header), " | "); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
		})
	}
}

// send sends a request whose path no library touches.
func (f front) send(t *testing.T, to, method, host, path string, header map[string]string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+to, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.URL.Opaque, request.Host = path, host
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := f.client.Do(request)
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
