package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"axon/envoy"
	adminv1 "axon/proto/axon/admin/v1"
	"axon/server"
	"axon/server/identity"
	"axon/xds"
	"axon/xds/plan"
	"axon/xds/topology"
)

// grace is how long calls under way may take when a server stops.
const grace = 2 * time.Second

// frontDoor is a running Axon: its servers, and the deployment that they serve.
type frontDoor struct {
	path    string
	log     *slog.Logger
	metrics *prometheus.Registry
	health  *server.Health
	authz   *server.Authz
	// identity gives the users; revocations are followed to forget them.
	identity    *identity.Finder
	revocations revocations
	xds         *xds.Server
	// started is the configuration of what is read at the start only.
	started Config
	serving atomic.Pointer[deployment]
	reload  atomic.Pointer[server.Reload]
	reloads *prometheus.CounterVec

	authzServer, xdsServer, adminGRPC *grpc.Server
	adminServer                       *http.Server
	// listeners are in the order of the servers: authz, xds, admin.
	listeners [3]net.Listener
	envoy     *envoy.Supervisor // nil where Envoy is not ours
}

// newFrontDoor makes everything and listens, so that an address in use is known before anything is served.
func newFrontDoor(path string, d deployment, log *slog.Logger) (*frontDoor, error) {
	f := &frontDoor{path: path, log: log, metrics: prometheus.NewRegistry(), health: server.NewHealth(), started: d.config}
	f.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f.reloads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "axon_config_reloads_total", Help: "Readings of the configuration by result: published, unchanged or refused.",
	}, []string{"result"})
	f.metrics.MustRegister(f.reloads)
	var err error
	if f.identity, err = newFinder(path, d, f.metrics, log); err != nil {
		return nil, err
	}
	f.xds = xds.New(xds.Options{Logger: log, Registerer: f.metrics})
	if err := errors.Join(f.servers(), f.listen(), f.supervise(d)); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, f.publish(d)
}

func (f *frontDoor) servers() error {
	certificates, err := f.started.Authz.TLS.Credentials()
	contained := server.Contained(f.metrics, f.log)
	f.authz = newAuthz(f)
	f.authzServer = server.NewAuthzServer(f.authz, f.health, slices.Concat(contained, certificates)...)
	f.xdsServer = grpc.NewServer(slices.Concat(xds.ServerOptions(), contained)...)
	f.xds.Register(f.xdsServer)
	f.health.Register(f.xdsServer)
	f.adminGRPC = grpc.NewServer(contained...)
	adminv1.RegisterAdminServiceServer(f.adminGRPC, &server.Status{
		Version: version, Started: time.Now(), XDS: f.xds.State, Cache: f.identity.Stats, Serving: f.current, Reload: f.lastReload,
	})
	f.health.Register(f.adminGRPC)
	f.adminServer = server.Admin{Metrics: f.metrics, Ready: f.ready, GRPC: f.adminGRPC, Log: f.log}.Server()
	return err
}

func (f *frontDoor) listen() error {
	var faults []error
	at := func(address string) func() (net.Listener, error) {
		return func() (net.Listener, error) { return server.Listen(address) }
	}
	for i, listen := range []func() (net.Listener, error){f.started.Authz.Listen, at(f.started.XDS.Address), at(f.started.Admin.Address)} {
		l, err := listen()
		if err != nil {
			faults = append(faults, err)
			continue
		}
		f.listeners[i] = l
	}
	return errors.Join(faults...)
}

// supervise prepares the Envoy that is ours, if one is.
func (f *frontDoor) supervise(d deployment) error {
	if !d.config.Envoy.Run {
		return nil
	}
	binary, err := envoy.Find(d.config.Envoy.Path)
	if err != nil {
		return err
	}
	bootstrap, err := d.bootstrap()
	if err != nil {
		return err
	}
	f.envoy, err = envoy.NewSupervisor(envoy.Options{
		Config: d.config.Envoy, Binary: binary, Bootstrap: bootstrap, Listeners: d.addresses(), Log: f.log, Registerer: f.metrics,
	})
	return err
}

// publish gives a deployment to all that serve it.
func (f *frontDoor) publish(d deployment) error {
	var err error
	if d.plan.Identity, err = f.started.identity(d.topology); err != nil { // Envoy and our server have to agree
		return err
	}
	f.identity.SetTopology(d.topology)
	f.authz.SetAppservices(server.AppservicesOf(d.topology))
	f.follow(d.topology)
	changed, err := f.xds.Publish(d.resources())
	f.note(changed, err)
	if err != nil {
		return err
	}
	f.serving.Store(&d)
	f.health.SetReady(true)
	return nil
}

// note remembers how a reading of the configuration ended.
func (f *frontDoor) note(changed bool, err error) {
	result := "unchanged"
	switch {
	case err != nil:
		result = "refused"
	case changed:
		result = "published"
	}
	f.reloads.WithLabelValues(result).Inc()
	f.reload.Store(&server.Reload{At: time.Now(), Err: err})
}

func (f *frontDoor) current() (*topology.Topology, *plan.Plan) {
	if d := f.serving.Load(); d != nil {
		return d.topology, d.plan
	}
	return nil, nil
}

func (f *frontDoor) lastReload() server.Reload {
	if r := f.reload.Load(); r != nil {
		return *r
	}
	return server.Reload{}
}

func (f *frontDoor) ready() error {
	if !f.xds.Ready() {
		return server.ErrNotPublished
	}
	return nil
}

// run serves until ctx ends or a server fails. The servers end after Envoy, which needs them while it drains.
func (f *frontDoor) run(ctx context.Context, hurry <-chan os.Signal) error {
	serving, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	ending, end := context.WithCancel(ctx)
	defer end()
	servers, serving := errgroup.WithContext(serving)
	for i, serve := range []func(net.Listener) error{f.authzServer.Serve, f.xdsServer.Serve, f.adminServer.Serve} {
		servers.Go(func() error { return served(serve(f.listeners[i])) })
	}
	servers.Go(func() error { return f.watch(ending) })

	go func() { // a server that fails ends everything
		<-serving.Done()
		end()
	}()
	err := f.runEnvoy(ending, hurry)
	stop(nil)
	f.stopServers()
	end()
	return errors.Join(err, servers.Wait())
}

// runEnvoy runs the Envoy that is ours until ctx ends and it has drained; without one it only waits.
func (f *frontDoor) runEnvoy(ctx context.Context, hurry <-chan os.Signal) error {
	if f.envoy == nil {
		<-ctx.Done()
		return nil
	}
	go func() {
		<-ctx.Done()
		f.log.Info("ending: envoy drains; a second signal hurries", "for", f.serving.Load().config.Envoy.Drain.String())
		<-hurry // the signal that ended ctx
		<-hurry
		f.envoy.Hurry()
	}()
	return f.envoy.Run(ctx)
}

func (f *frontDoor) stopServers() {
	f.xds.Close()
	server.Stop(f.authzServer, f.health, grace)
	server.Stop(f.xdsServer, f.health, grace)
	f.adminGRPC.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := f.adminServer.Shutdown(ctx); err != nil {
		_ = f.adminServer.Close()
	}
}

// served makes nothing of a server's ordinary end.
func served(err error) error {
	if err == nil || errors.Is(err, http.ErrServerClosed) || errors.Is(err, grpc.ErrServerStopped) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}

// close gives back what the front door holds; servers must have stopped.
func (f *frontDoor) close() error {
	for _, l := range f.listeners {
		if l != nil {
			_ = l.Close() // closed already where its server ran
		}
	}
	f.xds.Close()
	f.revocations.stop()
	return f.identity.Close()
}
