package demo

import (
	"context"
	"hash/fnv"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"regexp"
	"testing"
	"time"

	"axon/affinity"
	"axon/demo/standin"
)

// rule sends what matches to one of the workers, by key.
type rule struct {
	path    *regexp.Regexp
	workers []string
	key     func(d *Deployment, r *http.Request) string
}

func userKey(d *Deployment, r *http.Request) string { return userOf(d, r) }
func roomKey(_ *Deployment, r *http.Request) string { return affinity.RoomKey(r.RequestURI) }
func originKey(_ *Deployment, r *http.Request) string {
	return affinity.OriginKey(r.Header.Get("Authorization"))
}
func noKey(*Deployment, *http.Request) string { return "" }

// rules are what Axon is to find out of the deployment's files, in as few lines as serve the demonstration's traffic.
var rules = []rule{
	{regexp.MustCompile(`/sync\?timeout`), workersNamed("initial-sync-"), noKey},
	{regexp.MustCompile(`/sync\?`), workersNamed("sync-"), userKey},
	{regexp.MustCompile(`/rooms/[^/]+/send/`), workersNamed("event-creator-"), roomKey},
	{regexp.MustCompile(`/(typing|receipt|sendToDevice)/`), []string{streamWriter}, noKey},
	{regexp.MustCompile(`/media/`), workersNamed("media-"), noKey},
	{regexp.MustCompile(`^/_matrix/federation/`), workersNamed("federation-"), originKey},
	{regexp.MustCompile(`/messages\?`), workersNamed("client-reader-"), noKey},
	{regexp.MustCompile(``), []string{standin.Main}, noKey},
}

// frontDoor stands for Axon and Envoy at the deployment's URL: a reverse proxy that knows the rules and every token.
func frontDoor(t *testing.T, d *Deployment) {
	t.Helper()
	proxy := &httputil.ReverseProxy{
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, host string) (net.Conn, error) {
			name, _, _ := net.SplitHostPort(host)
			w := d.Worker(name)
			network := "tcp"
			if w.Port() == 0 {
				network = "unix"
			}
			return new(net.Dialer).DialContext(ctx, network, w.Address())
		}},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", route(d, r.In)
			r.Out.Header.Set("X-User-Identifier", userOf(d, r.In))
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", loopback(d.ports.front))
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: proxy, ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
}

// route gives the name of the worker that a request goes to.
func route(d *Deployment, r *http.Request) string {
	for _, rule := range rules {
		if rule.path.MatchString(r.RequestURI) {
			h := fnv.New32a()
			_, _ = h.Write([]byte(rule.key(d, r)))
			return rule.workers[int(h.Sum32()%uint32(len(rule.workers)))]
		}
	}
	return ""
}

func userOf(d *Deployment, r *http.Request) string {
	for _, device := range d.devices {
		if r.Header.Get("Authorization") == "Bearer "+device.token || r.URL.Query().Get("access_token") == device.token {
			return device.user
		}
	}
	return ""
}
