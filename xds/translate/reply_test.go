package translate

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"

	"axon/envoy/envoytest"
	"axon/xds/plan"
	"axon/xds/topology"
)

// TestWhatEnvoySaysItself provokes each of Envoy's own answers and expects a Matrix error that a web client can read.
func TestWhatEnvoySaysItself(t *testing.T) {
	address := startFaulty(t)
	long := strings.Repeat("x", 100<<10)
	tests := map[string]struct {
		raw     string
		status  int
		errcode string
		headers map[string]string // beside those of every answer
	}{
		"dot segments":                    {raw: "GET /_matrix/../x HTTP/1.1", status: 400, errcode: "M_UNKNOWN"},
		"what is no HTTP":                 {raw: "HELO there", status: 400, errcode: "M_UNKNOWN"},
		"a foreigner at the admin API":    {raw: "GET /_synapse/admin/v1/rooms HTTP/1.1", status: 403, errcode: "M_FORBIDDEN"},
		"a path that leads nowhere":       {raw: "GET /_synapse/mas/x HTTP/1.1", status: 404, errcode: "M_UNRECOGNIZED"},
		"headers that do not end":         {raw: "GET /_matrix/x HTTP/1.1\r\nHost: a\r\nX-Y", status: 408, errcode: "M_UNKNOWN"},
		"a body that does not arrive":     {raw: "POST /_matrix/client/v3/search HTTP/1.1\r\nContent-Length: 9", status: 408, errcode: "M_UNKNOWN"},
		"headers that are too large":      {raw: "GET /_matrix/x HTTP/1.1\r\nX-Y: " + long, status: 431, errcode: "M_TOO_LARGE"},
		"a path that is too long":         {raw: "GET /_matrix/" + long + " HTTP/1.1", status: 431, errcode: "M_TOO_LARGE"},
		"an old version of HTTP":          {raw: "GET /_matrix/x HTTP/1.0", status: 426, errcode: "M_UNKNOWN"},
		"an error too large to mend":      {raw: "POST /_matrix/client/v3/logout HTTP/1.1", status: 500, errcode: "M_UNKNOWN"},
		"a worker that speaks no HTTP":    {raw: "POST /_matrix/client/v3/user_directory/search HTTP/1.1", status: 502, errcode: "M_UNKNOWN"},
		"a writer that is not there":      {raw: "PUT /_matrix/client/v3/rooms/!a:b/typing/@a:b HTTP/1.1", status: 503, errcode: "M_UNKNOWN", headers: map[string]string{"Retry-After": "5", "Access-Control-Expose-Headers": "Retry-After"}},
		"silence":                         {raw: "GET /_matrix/client/versions?do=hang HTTP/1.1", status: 504, errcode: "M_UNKNOWN"},
		"a preflight of a writer's":       {raw: "OPTIONS /_matrix/client/v3/rooms/!a:b/typing/@a:b HTTP/1.1", status: 200},
		"a preflight that nobody answers": {raw: "OPTIONS /_matrix/client/versions?do=hang HTTP/1.1", status: 204},
		"a preflight of the admin API":    {raw: "OPTIONS /_synapse/admin/v1/rooms HTTP/1.1", status: 204},
		"a preflight that leads nowhere":  {raw: "OPTIONS /_synapse/mas/x HTTP/1.1", status: 204},
		"HEAD has no body":                {raw: "HEAD /_synapse/mas/x HTTP/1.1", status: 404},
		"what Axon refuses stays as it is": {
			raw: "GET /_matrix/client/v3/account/whoami HTTP/1.1\r\nAuthorization: Bearer nobody's", status: 401, errcode: "M_UNKNOWN_TOKEN",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response, body := say(t, address, tt.raw)
			if response.StatusCode != tt.status {
				t.Fatalf("status %d, want %d: %s", response.StatusCode, tt.status, body)
			}
			if got := response.Header.Get("Access-Control-Allow-Origin"); got != "*" {
				t.Errorf("Access-Control-Allow-Origin: %q", got)
			}
			for header, want := range tt.headers {
				if got := strings.Join(response.Header.Values(header), " | "); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
			if tt.errcode != "" {
				isMatrixError(t, response, body, tt.errcode)
			} else if body != "" {
				t.Errorf("body: %s", body)
			}
		})
	}
}

// TestUpstreamErrorsPass holds Envoy to handing on what an upstream says, whatever the status.
func TestUpstreamErrorsPass(t *testing.T) {
	address := startFaulty(t)
	for _, status := range []string{"400", "401", "403", "404", "429", "431", "500", "502", "503", "504", "418"} {
		response, body := say(t, address, "GET /_matrix/client/versions?do="+status+" HTTP/1.1")
		if !strings.HasPrefix(response.Status, status) || body != "as it came" {
			t.Errorf("%s became %s: %s", status, response.Status, body)
		}
		for _, header := range []string{"Retry-After", "Access-Control-Allow-Origin"} {
			if got := response.Header.Get(header); got != "" {
				t.Errorf("%s: %s: %q", status, header, got)
			}
		}
	}
}

func isMatrixError(t *testing.T, response *http.Response, body, errcode string) map[string]any {
	t.Helper()
	var said map[string]any
	if err := json.Unmarshal([]byte(body), &said); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if text, _ := said["error"].(string); said["errcode"] != errcode || text == "" {
		t.Errorf("want %s: %s", errcode, body)
	}
	if got := response.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type: %q", got)
	}
	return said
}

// say sends a request as raw text, whose end it adds where a Host is still missing.
func say(t *testing.T, address, raw string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if !strings.Contains(raw, "Host:") {
		raw += "\r\nHost: example.org\r\n\r\n"
	}
	go func() { _, _ = io.WriteString(c, raw) }() // Envoy may answer before it has read it all
	method, _, _ := strings.Cut(raw, " ")
	response, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
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

// startFaulty runs an Envoy with little patience, whose upstreams fail on demand and whose Axon refuses one token.
func startFaulty(t *testing.T) (address string) {
	t.Helper()
	shorten(t)
	address, _ = startPlan(t, faulty(t), func(r *Resources) {
		for _, l := range r.Listeners {
			editManager(t, l, func(m *hcmv3.HttpConnectionManager) { m.RequestHeadersTimeout = seconds(time.Second) })
		}
	})
	return address
}

// shorten lets a test wait a second for what takes minutes.
func shorten(t *testing.T) {
	t.Helper()
	usual := idleTimeouts[plan.Usual]
	idleTimeouts[plan.Usual] = time.Second
	t.Cleanup(func() { idleTimeouts[plan.Usual] = usual })
}

// faulty is a homeserver with main, a user directory that speaks no HTTP, a typing writer that is not there, and a Matrix
// Authentication Service whose errors are larger than Envoy's buffers.
func faulty(t *testing.T) *plan.Plan {
	t.Helper()
	client := []topology.Resource{topology.Client}
	topo := &topology.Topology{
		ServerName: "example.org",
		Main:       &topology.Worker{Name: "main", Listeners: []topology.Listener{{Address: serve(t, obey), Resources: client}}},
		Workers: []*topology.Worker{
			{Name: "user-dir-1", Listeners: []topology.Listener{{Address: garble(t), Resources: client}}},
			{Name: "writer-1", Listeners: []topology.Listener{{Address: listenerFor(t).Address, Resources: client}}},
		},
		StreamWriters: map[topology.Stream][]string{},
		DelegatedAuth: &topology.Service{Address: serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnsupportedMediaType)
			_, _ = w.Write(make([]byte, 4<<20))
		})},
	}
	for _, stream := range topology.Streams {
		topo.StreamWriters[stream] = []string{"main"}
	}
	topo.StreamWriters[topology.Typing] = []string{"writer-1"}
	p, err := plan.Build(topo, plan.Config{Listeners: []plan.ListenerConfig{{Address: listenerFor(t).Address.String(), SynapseAdmin: []string{"10.0.0.0/8"}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Clusters {
		if p.Clusters[i].Name == "user_directory" {
			p.Clusters[i].Fallback = nil // or else main would answer while the worker is not healthy
		}
	}
	p.Identity = &plan.Identity{Address: refuser(t), Timeout: 5 * time.Second, Enforce: true}
	return p
}

// obey answers as its query says.
func obey(w http.ResponseWriter, r *http.Request) {
	switch do := r.URL.Query().Get("do"); do {
	case "":
		w.Header().Set("Access-Control-Allow-Origin", "*")
	case "hang":
		<-r.Context().Done()
	default:
		w.WriteHeader(int(do[0]-'0')*100 + int(do[1]-'0')*10 + int(do[2]-'0'))
		_, _ = io.WriteString(w, "as it came")
	}
}

func serve(t testing.TB, answer http.HandlerFunc) topology.Address {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return addressOf(t, server.Listener)
}

func addressOf(t testing.TB, l net.Listener) topology.Address {
	t.Helper()
	address, err := topology.ParseAddress(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// garble answers everything with what is no HTTP.
func garble(t *testing.T) topology.Address {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = c.Read(make([]byte, 1))
				_, _ = io.WriteString(c, "not a word of HTTP\r\n\r\n")
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return addressOf(t, l)
}

// refusals is an ext_authz server that knows one token, which it refuses.
type refusals struct {
	authv3.UnimplementedAuthorizationServer
}

func (refusals) Check(_ context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	if r.GetAttributes().GetRequest().GetHttp().GetHeaders()["authorization"] != "Bearer nobody's" {
		return &authv3.CheckResponse{}, nil
	}
	return &authv3.CheckResponse{
		Status: &statuspb.Status{Code: int32(codes.PermissionDenied)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode_Unauthorized},
			Headers: []*corev3.HeaderValueOption{setHeader("content-type", "application/json"), setHeader("access-control-allow-origin", "*")},
			Body:    `{"errcode":"M_UNKNOWN_TOKEN","error":"Invalid access token passed."}`,
		}},
	}, nil
}

func refuser(t *testing.T) topology.Address {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, refusals{})
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return addressOf(t, l)
}

// startPlan runs an Envoy with what becomes of the plan, after an edit; its admin interface is at the second address.
func startPlan(t testing.TB, p *plan.Plan, edit func(*Resources), args ...string) (front, admin string) {
	t.Helper()
	r := Translate(p)
	if edit != nil {
		edit(&r)
	}
	static, err := Static(r)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	adminAddress := addressOf(t, l)
	_ = l.Close()
	envoytest.Start(t, &bootstrapv3.Bootstrap{
		Node: &corev3.Node{Id: "test", Cluster: "test"}, StaticResources: static,
		Admin: &bootstrapv3.Admin{Address: address(adminAddress)},
	}, args...)
	admin = adminAddress.String()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if response, err := http.Get("http://" + admin + "/ready"); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return p.Listeners[0].Address.String(), admin
			}
		}
	}
	t.Fatal("envoy is not ready")
	return "", ""
}

// editManager changes the HTTP connection manager of a listener.
func editManager(t testing.TB, l *listenerv3.Listener, edit func(*hcmv3.HttpConnectionManager)) {
	t.Helper()
	filter := l.FilterChains[0].Filters[0]
	m := &hcmv3.HttpConnectionManager{}
	if err := filter.GetTypedConfig().UnmarshalTo(m); err != nil {
		t.Fatal(err)
	}
	edit(m)
	filter.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: pack(m)}
}
