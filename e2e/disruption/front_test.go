package disruption

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"axon/envoy"
	"axon/envoy/envoytest"
	"axon/xds"
)

const (
	// patience is how long Envoy may take to notice anything; on a machine with nothing else to do it needs five seconds.
	patience = 2 * time.Minute
	pause    = 100 * time.Millisecond // between two looks at it
)

// front is a real Envoy that gets everything from a real control plane over a unix socket.
type front struct {
	control *xds.Server
	address string // where clients arrive
	admin   http.Client
}

// startFront returns before Envoy serves, which it does some time after the first Publish: see listen.
func startFront(t testing.TB, dir string) *front {
	t.Helper()
	f := &front{control: xds.New(xds.Options{})}
	orders, admin := filepath.Join(dir, "xds"), filepath.Join(dir, "admin")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", orders)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(xds.ServerOptions()...)
	f.control.Register(server)
	go func() { _ = server.Serve(l) }() // ends with Stop
	t.Cleanup(func() { f.control.Close(); server.Stop() })
	f.admin.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", admin)
	}}
	t.Cleanup(f.admin.CloseIdleConnections)
	bootstrap, err := envoy.Bootstrap(envoy.BootstrapOptions{
		NodeID: "front", Cluster: "front", Admin: "unix:" + admin, XDS: "unix:" + orders,
	})
	if err != nil {
		t.Fatal(err)
	}
	envoytest.Start(t, bootstrap)
	return f
}

// listen returns when Envoy does.
func (f *front) listen(t testing.TB) {
	t.Helper()
	until(t, "Envoy listens", func() bool {
		_, address, listens := strings.Cut(f.ask(t, "/listeners"), listenerName+"::")
		f.address = strings.TrimSpace(address)
		return listens && strings.TrimSpace(f.ask(t, "/ready")) == "LIVE"
	})
}

// ask gives what the admin interface answers, "" where it does not.
func (f *front) ask(t testing.TB, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://admin"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := f.admin.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

// uses says whether Envoy has a host in the cluster of syncs and takes it for healthy.
func (f *front) uses(t testing.TB, socket string) bool {
	t.Helper()
	return strings.Contains(f.ask(t, "/clusters"), fmt.Sprintf("%s::%s::health_flags::healthy\n", syncCluster, socket))
}

// retries is how many requests to the workers Envoy has sent once more.
func (f *front) retries(t testing.TB) int {
	t.Helper()
	name := "cluster." + syncCluster + ".upstream_rq_retry"
	_, value, _ := strings.Cut(f.ask(t, "/stats?filter=^"+name+"$"), ": ")
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil {
		t.Fatalf("stat %q: %v", name, err)
	}
	return n
}

func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(pause) {
		if time.Now().After(end) {
			t.Fatalf("it never comes about that %s", what)
		}
	}
}
