package envoy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	streamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// A fixture is an Envoy to be: a listener in front of an upstream that answers /slow only when released.
type fixture struct {
	config    Config
	bootstrap *bootstrapv3.Bootstrap
	binary    string
	public    string // the listener's address
	release   chan struct{}
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{config: DefaultConfig(), binary: realEnvoy(t), release: make(chan struct{})}
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			select {
			case <-f.release:
			case <-r.Context().Done():
			}
		}
	}))
	t.Cleanup(upstream.Close)
	f.config.Dir = filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(f.config.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f.config.Admin, f.public = freeAddress(t), freeAddress(t)
	f.bootstrap = staticBootstrap(t, f.config.Admin, f.public, upstream.Listener.Addr().String())
	t.Cleanup(f.killLeft)
	return f
}

// killLeft ends the Envoy that a failed test left.
func (f *fixture) killLeft() {
	left, err := loadState(f.config.Dir)
	if err != nil || left == nil {
		return
	}
	for _, a := range []*ancestor{{PID: left.PID, StartTime: left.StartTime}, left.Older} {
		if p, err := a.adopt(); err == nil && p != nil {
			_ = p.signal(syscall.SIGKILL)
			<-p.exited
		}
	}
}

func (f *fixture) supervisor(t *testing.T, log *logBuffer) *Supervisor {
	t.Helper()
	s, err := NewSupervisor(Options{
		Config: f.config, Binary: f.binary, Bootstrap: f.bootstrap, Registerer: prometheus.NewRegistry(),
		Log: slog.New(slog.NewJSONHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (f *fixture) admin(t *testing.T) *Admin {
	t.Helper()
	a, err := NewAdmin(f.config.Admin)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// get asks the listener on a connection of its own; nil when there is no answer.
func (f *fixture) get(path string) *http.Response {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	res, err := client.Get("http://" + f.public + path)
	if err != nil {
		return nil
	}
	_ = res.Body.Close()
	return res
}

// fetch is the status of / and puts a line into Envoy's access log.
func (f *fixture) fetch(t *testing.T) int {
	t.Helper()
	res := f.get("/")
	if res == nil {
		t.Fatal("no answer")
	}
	return res.StatusCode
}

func (f *fixture) nothingLeft(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if _, err := startTime(pid); !errors.Is(err, os.ErrNotExist) && !errors.Is(err, errEnded) && !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is still there: %v", pid, err)
		}
	}
	files, err := os.ReadDir(f.config.Dir)
	if err != nil || len(files) > 0 {
		t.Errorf("files left: %v, %v", files, err)
	}
}

// running is a supervisor at work.
type running struct {
	supervisor *Supervisor
	log        *logBuffer
	cancel     func()
	done       chan error
}

func (f *fixture) run(t *testing.T) *running {
	t.Helper()
	r := &running{log: &logBuffer{}, done: make(chan error, 1)}
	r.supervisor = f.supervisor(t, r.log)
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	var ended sync.WaitGroup
	ended.Go(func() { r.done <- r.supervisor.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		r.supervisor.Hurry()
		ended.Wait()
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	return r
}

func (r *running) waitReady(t *testing.T) {
	t.Helper()
	waitFor(t, "envoy to serve", func() bool { return r.supervisor.Admin().Ready(t.Context()) == nil })
}

// waitLog waits until each text is in the log.
func (r *running) waitLog(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		waitFor(t, fmt.Sprintf("%q in the log", text), func() bool { return strings.Contains(r.log.String(), text) })
	}
}

func (r *running) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	if err := <-r.done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// victimVariable makes the test binary run a supervisor until it is killed; it holds a victim.
const victimVariable = "AXON_TEST_VICTIM"

type victim struct {
	Config    Config
	Binary    string
	Bootstrap []byte
}

func TestMain(m *testing.M) {
	if options := os.Getenv(victimVariable); options != "" {
		if err := superviseUntilKilled([]byte(options)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func superviseUntilKilled(options []byte) error {
	var v victim
	if err := json.Unmarshal(options, &v); err != nil {
		return err
	}
	b := &bootstrapv3.Bootstrap{}
	if err := protojson.Unmarshal(v.Bootstrap, b); err != nil {
		return err
	}
	s, err := NewSupervisor(Options{
		Config: v.Config, Binary: v.Binary, Bootstrap: b, Log: slog.New(slog.NewTextHandler(os.Stdout, nil)),
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return s.Run(ctx)
}

// crash gives the pid of an Envoy whose supervisor was killed, after that had passed on the line of Envoy's start.
func (f *fixture) crash(t *testing.T) int {
	t.Helper()
	bootstrap, err := BootstrapJSON(f.bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	options, err := json.Marshal(victim{Config: f.config, Binary: f.binary, Bootstrap: bootstrap})
	if err != nil {
		t.Fatal(err)
	}
	out := &logBuffer{}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimVariable+"="+string(options))
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the first supervisor's envoy", func() bool {
		return strings.Contains(out.String(), "starting main dispatch loop") && f.admin(t).Ready(t.Context()) == nil
	})
	time.Sleep(2 * logPause) // for its last lines to be passed on
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	left, err := loadState(f.config.Dir)
	if err != nil || left == nil {
		t.Fatalf("state after the crash: %v, %v", left, err)
	}
	return left.PID
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func staticBootstrap(t *testing.T, admin, public, upstream string) *bootstrapv3.Bootstrap {
	t.Helper()
	pack := func(m proto.Message) *anypb.Any {
		packed, err := anypb.New(m)
		if err != nil {
			t.Fatal(err)
		}
		return packed
	}
	at := func(s string) *corev3.Address {
		a, err := parseAddress(s)
		if err != nil {
			t.Fatal(err)
		}
		return a.proto()
	}
	line := &corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_TextFormatSource{
		TextFormatSource: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: "access log of %PATH(NQ)%\n"}},
	}}
	hcm := &hcmv3.HttpConnectionManager{
		StatPrefix: "public",
		AccessLog: []*accesslogv3.AccessLog{{Name: "stdout", ConfigType: &accesslogv3.AccessLog_TypedConfig{
			TypedConfig: pack(&streamv3.StdoutAccessLog{AccessLogFormat: &streamv3.StdoutAccessLog_LogFormat{LogFormat: line}}),
		}}},
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{VirtualHosts: []*routev3.VirtualHost{{
			Name: "all", Domains: []string{"*"}, Routes: []*routev3.Route{{
				Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
				Action: &routev3.Route_Route{Route: &routev3.RouteAction{
					ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "upstream"}, Timeout: durationpb.New(0),
				}},
			}},
		}}}},
		HttpFilters: []*hcmv3.HttpFilter{{Name: "router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(&routerv3.Router{})}}},
	}
	return &bootstrapv3.Bootstrap{
		Node:  &corev3.Node{Id: "test", Cluster: "test"},
		Admin: &bootstrapv3.Admin{Address: at(admin)},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{
			Clusters: []*clusterv3.Cluster{{Name: "upstream", LoadAssignment: &endpointv3.ClusterLoadAssignment{
				ClusterName: "upstream",
				Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
					HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: at(upstream)}},
				}}}},
			}}},
			Listeners: []*listenerv3.Listener{{Name: "public", Address: at(public), FilterChains: []*listenerv3.FilterChain{{
				Filters: []*listenerv3.Filter{{Name: "http", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(hcm)}}},
			}}}},
		},
	}
}
