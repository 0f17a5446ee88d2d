package translate

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"axon/envoy/envoytest"
	"axon/xds/plan"
	"axon/xds/topology"
)

// TestTreeDecidesAsThePlanDoes sends every path of the route table, and paths near them, through a real Envoy and compares the route
// that it took with the plan's own. The upstream is a stand-in that answers anything.
func TestTreeDecidesAsThePlanDoes(t *testing.T) {
	nobody := topology.Address{Path: "/nonexistent/axon.sock"}
	tests := map[string]struct {
		deployment string
		identity   *plan.Identity
	}{
		"native logins":                        {"mdad", nil},
		"delegated logins":                     {"blog", nil},
		"open paths apart from those of users": {"blog", &plan.Identity{Address: nobody, Timeout: time.Second, Enforce: true, Learn: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := planOf(t, tt.deployment)
			p.Identity = tt.identity
			p.Listeners = []plan.Listener{listenerFor(t)}
			front := startEnvoy(t, p)
			var wait sync.WaitGroup
			requests := requestsFor(p)
			t.Logf("%d requests", len(requests))
			for worker := range 8 {
				wait.Go(func() {
					for i := worker; i < len(requests); i += 8 {
						if got, want := front.route(t, requests[i]), p.Match(requests[i]).Name; got != want {
							t.Errorf("%s %s: envoy took %q, the plan says %q", requests[i].Method, requests[i].Path, got, want)
						}
					}
				})
			}
			wait.Wait()
		})
	}
}

// requestsFor are requests to paths of every template and beside them, with every method and several queries.
func requestsFor(p *plan.Plan) []plan.Request {
	paths := map[string]bool{}
	for _, r := range p.Routes {
		for _, t := range r.Paths {
			for _, path := range samples(t.String()) {
				for _, p := range []string{path, path + "/", path + "/more", path + "x", strings.TrimSuffix(path, "e")} {
					paths[p] = true
				}
			}
		}
	}
	for _, odd := range []string{"/", "//", "/_matrix", "/_matrix/../x", "/_matrix/%2e%2e/x", "/_matrix/client/v3/rooms/a%2Fb/messages", "/_MATRIX/client/v3/sync", "/_matrix/client/v3//sync", "/_synapse/mas/query_user", "/_matrix/client/v9/login"} {
		paths[odd] = true
	}
	var all []plan.Request
	for path := range paths {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"} {
			all = append(all, plan.Request{Method: method, Path: path, Admin: true})
		}
		if strings.Contains(path, "sync") {
			for _, query := range []string{"since=s1", "since=", "since", "full_state=true&since=s1", "full_state=false&since=s1", "x=../y", "pos=1", "timeout=1&pos=2"} {
				all = append(all, plan.Request{Method: "GET", Path: path + "?" + query, Admin: true}, plan.Request{Method: "POST", Path: path + "?" + query, Admin: true})
			}
		}
	}
	return all
}

// samples are paths of a template: every choice of its braces, with something for each star.
func samples(template string) []string {
	before, rest, found := strings.Cut(template, "{")
	if !found {
		return []string{strings.NewReplacer("**", "x/y", "*", "!a:b.c").Replace(template)}
	}
	choices, after, _ := strings.Cut(rest, "}")
	var all []string
	for choice := range strings.SplitSeq(choices, ",") {
		all = append(all, samples(before+choice+after)...)
	}
	return all
}

func listenerFor(t *testing.T) plan.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	address := topology.Address{Host: "127.0.0.1", Port: uint16(port)}
	return plan.Listener{Name: plan.ListenerName(address), Address: address, SynapseAdmin: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
}

// front is a real Envoy with a static configuration.
type front struct {
	address string
	client  *http.Client
}

// startEnvoy runs an Envoy for the plan. All members of all clusters are one stand-in; answers name their route.
func startEnvoy(t *testing.T, p *plan.Plan) front {
	t.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(upstream.Close)
	standIn := upstream.Listener.Addr().(*net.TCPAddr)
	for i := range p.Clusters {
		c := &p.Clusters[i]
		c.TLS = false
		for k := range c.Members {
			c.Members[k].Address = topology.Address{Host: "127.0.0.1", Port: uint16(standIn.Port)}
		}
		c.Fallback = nil
	}
	r := Translate(p)
	for _, routes := range r.Routes {
		routes.ResponseHeadersToAdd = []*corev3.HeaderValueOption{setHeader("x-route", "%ROUTE_NAME%")}
	}
	static, err := Static(r)
	if err != nil {
		t.Fatal(err)
	}
	envoytest.Start(t, &bootstrapv3.Bootstrap{Node: &corev3.Node{Id: "test", Cluster: "test"}, StaticResources: static})
	f := front{address: p.Listeners[0].Address.String(), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, Timeout: 10 * time.Second}}
	f.wait(t)
	return f
}

func (f front) wait(t *testing.T) {
	t.Helper()
	for range 200 {
		if response, err := f.client.Get("http://" + f.address + "/health"); err == nil {
			response.Body.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("envoy does not answer")
}

// route sends a request whose path no library touches and gives the name of the route that took it.
func (f front) route(t *testing.T, r plan.Request) string {
	t.Helper()
	request, err := http.NewRequest(r.Method, "http://"+f.address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if request.URL.Opaque = r.Path; strings.HasPrefix(r.Path, "//") {
		request.URL.Opaque = "//" + f.address + r.Path // in absolute form, as it would else be taken for a host
	}
	response, err := f.client.Do(request)
	if err != nil {
		return fmt.Sprint(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.Header.Get("X-Route")
}
