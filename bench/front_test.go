//go:build linux

// Package bench measures a real Envoy with what Axon tells it.
package bench

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"

	"axon/bench/load"
	"axon/envoy/envoytest"
	"axon/xds/plan"
	"axon/xds/topology"
	"axon/xds/translate"
)

const (
	treeListener = "tree"
	bareListener = "bare"
)

// roles are the workers of a homeserver that has them for everything.
var roles = []string{
	"sync-1", "sync-2", "sync-3", "initial-sync-1", "client-reader-1", "client-reader-2", "event-creator-1", "event-creator-2",
	"federation-inbound-1", "federation-inbound-2", "federation-reader-1", "media-1", "user-dir-1", "login-1", "sso-1",
}

// front is a real Envoy with a listener for the tree, and one for each kind of request where its route takes everything.
type front struct {
	addresses map[string]string // of the listeners
	pid       int
}

func startFront(b *testing.B) *front {
	b.Helper()
	dir, err := os.MkdirTemp("", "ax") // b.TempDir is too long a path for a unix socket
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	admin := filepath.Join(dir, "admin")
	static, err := translate.Static(resources(b, dir))
	if err != nil {
		b.Fatal(err)
	}
	envoytest.Start(b, &bootstrapv3.Bootstrap{
		Node: &corev3.Node{Id: "bench", Cluster: "bench"}, StaticResources: static,
		Admin: &bootstrapv3.Admin{Address: &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: admin}}}},
	})
	f := &front{addresses: map[string]string{}}
	f.await(b, admin)
	return f
}

// resources are those of the plan, with a listener more for each kind of request, and one for the bare route.
func resources(b *testing.B, dir string) translate.Resources {
	b.Helper()
	p := planned(b, dir)
	for _, name := range append(slices.Collect(maps.Keys(kinds)), bareListener) {
		l := p.Listeners[0]
		l.Name = name
		p.Listeners = append(p.Listeners, l)
	}
	r := translate.Translate(p)
	for _, c := range r.Clusters {
		c.HealthChecks = nil // they take time, too
	}
	for _, routes := range r.Routes {
		host := routes.VirtualHosts[0]
		if k, single := kinds[routes.Name]; single {
			only(host, find(b, host, k.route))
		} else if routes.Name == bareListener {
			host.RetryPolicy = nil
			only(host, &routev3.Route{Action: &routev3.Route_Route{Route: &routev3.RouteAction{
				ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: string(plan.Main)},
			}}})
		}
	}
	return r
}

// only makes a route take everything.
func only(host *routev3.VirtualHost, r *routev3.Route) {
	r.Match = &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
	host.Matcher, host.Routes = nil, []*routev3.Route{r}
}

// planned is the plan of a homeserver with workers for everything, one listener and no identity server.
func planned(b *testing.B, dir string) *plan.Plan {
	b.Helper()
	section := topology.Section{ServerName: "example.org", Main: worker(b, topology.MainName)}
	for _, name := range roles {
		w := topology.WorkerConfig{Name: name, Address: worker(b, name)}
		if strings.HasPrefix(name, "media") {
			w.Resources = []string{"client", "federation", "media"}
		}
		section.Workers = append(section.Workers, w)
	}
	topo, err := topology.Load(topology.Config{Topology: section}, nil, dir)
	if err != nil {
		b.Fatal(err)
	}
	p, err := plan.Build(topo, plan.Config{Listeners: []plan.ListenerConfig{{Address: "127.0.0.1:1", SynapseAdmin: []string{"127.0.0.1"}}}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	p.Listeners[0].Name, p.Listeners[0].Address.Port = treeListener, 0 // any free one
	return p
}

// worker starts one and gives its address.
func worker(b *testing.B, name string) string {
	b.Helper()
	w, err := load.NewWorker(name, "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.Close)
	return w.Address()
}

// find gives the first route of a name in a tree.
func find(b *testing.B, tree proto.Message, name string) (found *routev3.Route) {
	b.Helper()
	err := protorange.Range(tree.ProtoReflect(), func(v protopath.Values) error {
		if m, ok := v.Index(-1).Value.Interface().(protoreflect.Message); ok && found == nil {
			if r, ok := m.Interface().(*routev3.Route); ok && r.Name == name {
				found = proto.CloneOf(r)
			}
		}
		return nil
	})
	if err != nil || found == nil {
		b.Fatalf("route %q: not in the tree (%v)", name, err)
	}
	return found
}

func (f *front) await(b *testing.B, admin string) {
	b.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if strings.TrimSpace(ask(b, admin, "/ready")) != "LIVE" {
			continue
		}
		for line := range strings.Lines(ask(b, admin, "/listeners")) {
			name, address, _ := strings.Cut(strings.TrimSpace(line), "::")
			f.addresses[name] = address
		}
		f.pid = peer(b, admin)
		return
	}
	b.Fatal("Envoy is not ready")
}

// ask gives what the admin interface answers, "" where it does not.
func ask(b *testing.B, admin, path string) string {
	b.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", admin)
	}
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Get("http://admin" + path)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

// peer is the process that listens on a unix socket.
func peer(b *testing.B, socket string) (pid int) {
	b.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		credentials, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			b.Error(err)
			return
		}
		pid = int(credentials.Pid)
	})
	if err != nil || pid == 0 {
		b.Fatal("no process behind the socket", err)
	}
	return pid
}

// cpu is the processor's time that Envoy has taken so far: clock_getcpuclockid(3) of its process.
func (f *front) cpu(b *testing.B) time.Duration {
	b.Helper()
	const scheduler = 2
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^f.pid<<3|scheduler), &at); err != nil {
		b.Fatal(fmt.Errorf("time of process %d: %w", f.pid, err))
	}
	return time.Duration(at.Nano())
}
