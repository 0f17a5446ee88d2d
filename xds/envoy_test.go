package xds

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"github.com/google/go-cmp/cmp"

	"axon/envoy"
	"axon/envoy/envoytest"
	"axon/xds/translate"
)

func TestRealEnvoyGoesOnWithWhatItHas(t *testing.T) {
	tests := map[string]corev3.ApiConfigSource_ApiType{
		"delta":              corev3.ApiConfigSource_DELTA_GRPC,
		"state of the world": corev3.ApiConfigSource_GRPC,
	}
	for name, protocol := range tests {
		t.Run(name, func(t *testing.T) {
			e := startEnvoy(t, protocol)
			main := upstream(t)
			resources := front(t)
			resources.Endpoints = []*endpointv3.ClusterLoadAssignment{assignment("main", main)}

			first := e.serve(t)
			first.sends(t, resources, true)
			first.envoy(t, current(Types...))
			e.answers(t, "/hello", "hello")
			e.answers(t, "/else", "main")
			before := e.updates(t)

			first.Close()
			first.grpc.Stop()
			wait(t, func() bool { return e.stat(t, "control_plane.connected_state") == 0 })
			e.answers(t, "/hello", "hello")
			e.answers(t, "/else", "main")

			second := e.serve(t)
			second.sends(t, resources, true)
			got := second.envoy(t, current(Types...))
			if got.NodeID != "front-1" || got.Cluster != "front" || !strings.HasPrefix(got.Build, "envoy 1.") || got.Peer != "unix" {
				t.Errorf("envoy %+v", got)
			}
			if diff := cmp.Diff(before, e.updates(t)); diff != "" {
				t.Errorf("equal content after a restart changed something (-before +after):\n%s", diff)
			}
			refuses(t, e, second, resources)
		})
	}
}

// refuses publishes what only Envoy itself finds out to be wrong, and then makes it good.
func refuses(t *testing.T, e *realEnvoy, r *running, resources translate.Resources) {
	t.Helper()
	bad := resources
	bad.Routes = front(t).Routes
	bad.Routes[0].VirtualHosts = append(bad.Routes[0].VirtualHosts, frontRoutes(t, "", to("main"), to("main")).VirtualHosts...)
	if refused := r.rejects(t, bad); refused.Type != Route || !strings.Contains(refused.Message, "wildcard domain") {
		t.Errorf("refusal %+v", refused)
	}
	r.envoy(t, current(Types...))
	e.answers(t, "/hello", "hello")
	if n := e.stat(t, "http.front.rds.http.update_rejected"); n != 1 {
		t.Errorf("refused %d times", n)
	}

	good := resources
	good.Routes = front(t).Routes
	good.Routes[0] = frontRoutes(t, "http", direct("good bye"), to("main"))
	r.sends(t, good, true)
	r.envoy(t, current(Types...))
	wait(t, func() bool { return e.get(t, e.front+"/hello") == "good bye" })
}

// upstream is a worker that answers "main", and takes a while to say that it is healthy.
func upstream(t *testing.T) uint32 {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			time.Sleep(200 * time.Millisecond)
		}
		io.WriteString(w, "main")
	}))
	t.Cleanup(server.Close)
	return uint32(server.Listener.Addr().(*net.TCPAddr).Port)
}

// realEnvoy is the binary, told to ask at a unix socket.
type realEnvoy struct {
	xds, front string
	http       *http.Client // reaches the admin interface as http://admin
}

func startEnvoy(t *testing.T, protocol corev3.ApiConfigSource_ApiType) *realEnvoy {
	t.Helper()
	dir := envoytest.ShortDir(t)
	admin := filepath.Join(dir, "admin.sock")
	e := &realEnvoy{xds: filepath.Join(dir, "xds.sock"), http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == "admin:80" {
				network, address = "unix", admin
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}}
	t.Cleanup(e.http.CloseIdleConnections)

	bootstrap, err := envoy.Bootstrap(envoy.BootstrapOptions{
		NodeID: "front-1", Cluster: "front", Admin: "unix:" + admin, XDS: "unix:" + e.xds,
	})
	if err != nil {
		t.Fatal(err)
	}
	bootstrap.DynamicResources.AdsConfig.ApiType = protocol
	envoytest.Start(t, bootstrap)
	return e
}

// serve starts a control plane where Envoy looks for it.
func (e *realEnvoy) serve(t *testing.T) *running {
	t.Helper()
	r := run(t)
	listener, err := net.Listen("unix", e.xds)
	if err != nil {
		t.Fatal(err)
	}
	go r.grpc.Serve(listener)
	return r
}

// get gives a body, or "" where there is no answer.
func (e *realEnvoy) get(t *testing.T, url string) string {
	t.Helper()
	response, err := e.http.Get(url)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return ""
	}
	return string(body)
}

func (e *realEnvoy) answers(t *testing.T, path, want string) {
	t.Helper()
	if e.front == "" {
		e.front = "http://" + e.listener(t)
	}
	if got := e.get(t, e.front+path); got != want {
		t.Errorf("GET %s: %q, want %q", path, got, want)
	}
}

// listener gives the address of the one listener, once it listens.
func (e *realEnvoy) listener(t *testing.T) string {
	t.Helper()
	var found struct {
		Statuses []struct {
			Address struct {
				Socket struct {
					Address string `json:"address"`
					Port    int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	wait(t, func() bool {
		return json.Unmarshal([]byte(e.get(t, "http://admin/listeners?format=json")), &found) == nil && len(found.Statuses) == 1
	})
	socket := found.Statuses[0].Address.Socket
	return net.JoinHostPort(socket.Address, strconv.Itoa(socket.Port))
}

// updates are the counters that move when something changes.
func (e *realEnvoy) updates(t *testing.T) map[string]int {
	t.Helper()
	counters := map[string]int{}
	for _, name := range []string{
		"listener_manager.listener_added", "listener_manager.listener_modified", "listener_manager.listener_removed",
		"cluster_manager.cluster_added", "cluster_manager.cluster_modified", "cluster_manager.cluster_removed",
		"cluster.main.membership_change", "http.front.rds.http.config_reload",
	} {
		counters[name] = e.stat(t, name)
	}
	return counters
}

func (e *realEnvoy) stat(t *testing.T, name string) int {
	t.Helper()
	for line := range strings.Lines(e.get(t, "http://admin/stats?filter=^"+name+"$")) {
		var value int
		if _, err := fmt.Sscanf(line, name+": %d", &value); err == nil {
			return value
		}
	}
	t.Fatalf("Envoy has no counter %q", name)
	return 0
}
