package ring

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"axon/envoy/envoytest"
	"axon/xds/plan"
	"axon/xds/topology"
	"axon/xds/translate"
)

const (
	workerHeader = "X-Worker"
	connections  = 16
)

// front is a real Envoy before workers that answer with their names.
type front struct {
	http      *http.Client
	address   string // of the front door
	adminFile string // where Envoy writes the address of its admin interface
}

// startFront starts an Envoy with a plan; prepare changes what it is told.
func startFront(t *testing.T, p *plan.Plan, prepare func(translate.Resources)) *front {
	t.Helper()
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	p.Listeners = []plan.Listener{{Name: "front", Address: topology.Address{Host: "127.0.0.1"}, TrustedProxies: []netip.Prefix{loopback}}}
	resources := translate.Translate(p)
	prepare(resources)
	static, err := translate.Static(resources)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{
		http:      &http.Client{Transport: &http.Transport{MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections}},
		adminFile: filepath.Join(t.TempDir(), "admin"),
	}
	t.Cleanup(f.http.CloseIdleConnections)
	envoytest.Start(t, &bootstrapv3.Bootstrap{
		Node:            &corev3.Node{Id: "front", Cluster: "front"},
		StaticResources: static,
		Admin: &bootstrapv3.Admin{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
			Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{},
		}}}},
	}, "--admin-address-path", f.adminFile)
	f.await(t)
	return f
}

// await returns when Envoy listens.
func (f *front) await(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		_, address, listens := strings.Cut(f.admin(ctx, "/listeners"), "front::")
		if listens && strings.TrimSpace(f.admin(ctx, "/ready")) == "LIVE" {
			f.address = strings.TrimSpace(address)
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal("Envoy is not ready")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// admin gives what the admin interface answers, "" where it does not.
func (f *front) admin(ctx context.Context, path string) string {
	address, err := os.ReadFile(f.adminFile)
	if err != nil {
		return ""
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+string(address)+path, nil)
	if err != nil {
		return ""
	}
	response, err := f.http.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

func (f *front) stat(t *testing.T, name string) (value int) {
	t.Helper()
	text := f.admin(t.Context(), "/stats?filter=^"+name+"$")
	if _, err := fmt.Sscanf(text, name+": %d", &value); err != nil {
		t.Fatalf("stat %q: %v in %q", name, err, text)
	}
	return value
}

// worker gives the name of the worker that answers a request.
func (f *front) worker(r *http.Request) (string, error) {
	response, err := f.http.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d: %s", response.StatusCode, body)
	}
	return response.Header.Get(workerHeader), err
}

// workers starts stand-ins.
func workers(t *testing.T, names ...string) []plan.Member {
	t.Helper()
	var members []plan.Member
	for _, name := range names {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(workerHeader, name)
		}))
		t.Cleanup(server.Close)
		at := server.Listener.Addr().(*net.TCPAddr).AddrPort()
		members = append(members, plan.Member{Name: name, Address: topology.Address{Host: at.Addr().String(), Port: at.Port()}})
	}
	return members
}
