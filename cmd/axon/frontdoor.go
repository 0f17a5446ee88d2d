package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
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
	"axon/xds/secrets"
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
	secrets     *secrets.Server
	// started is the configuration of what is read at the start only.
	started Config
	serving atomic.Pointer[deployment]
	reload  atomic.Pointer[server.Reload]
	reloads *prometheus.CounterVec
	drains  drains
	// publishing is held by who changes serving and offers.
	publishing sync.Mutex
	offers     offers
	stored     *storing
	// rereads are asked for by the operator; each is told what came of it.
	rereads chan chan<- server.Reload

	authzServer, xdsServer, adminGRPC *grpc.Server
	adminServer                       *http.Server
	// listeners are in the order of the servers: authz, xds, admin.
	listeners [3]net.Listener
	envoy     *envoy.Supervisor // nil where Envoy is not ours
	notify    *notifier
}

// newFrontDoor makes everything and listens, so that an address in use is known before anything is served.
func newFrontDoor(path string, d deployment, log *slog.Logger) (*frontDoor, error) {
	f := &frontDoor{path: path, log: log, metrics: prometheus.NewRegistry(), health: server.NewHealth(), started: d.config, rereads: make(chan chan<- server.Reload), offers: offers{}}
	f.notify = newNotifier(f)
	f.drains.restore(f)
	f.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f.reloads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "axon_config_reloads_total", Help: "Readings of the configuration by result: published, unchanged, refused or refused_by_envoy.",
	}, []string{"result"})
	f.metrics.MustRegister(f.reloads, f.servesStored())
	f.stored = newStoring(f.started.State, log, f.metrics)
	var err error
	if f.identity, err = newFinder(path, d, f.metrics, log); err != nil {
		return nil, err
	}
	f.xds, f.secrets = xds.New(xds.Options{Logger: log, Registerer: f.metrics}), secrets.New(log)
	if err := errors.Join(f.servers(), f.listen(), f.supervise(d)); err != nil {
		return nil, errors.Join(err, f.close())
	}
	f.trust(d)
	if err := f.publish(d); err != nil {
		return f, err
	}
	if d.stored != nil {
		f.note(false, d.stored.fault)
	}
	return f, nil
}

func (f *frontDoor) servers() error {
	certificates, err := f.started.Authz.TLS.Credentials()
	contained := server.Contained(f.metrics, f.log)
	f.authz = newAuthz(f)
	f.authzServer = server.NewAuthzServer(f.authz, f.health, slices.Concat(contained, certificates)...)
	f.xdsServer = grpc.NewServer(slices.Concat(xds.ServerOptions(), contained)...)
	f.xds.Register(f.xdsServer)
	f.secrets.Register(f.xdsServer)
	f.health.Register(f.xdsServer)
	f.adminGRPC = grpc.NewServer(contained...)
	adminv1.RegisterAdminServiceServer(f.adminGRPC, &server.Control{
		Version: version, Started: time.Now(), XDS: f.xds.State, Cache: f.identity.Stats, Serving: f.current, LastReload: f.lastReload,
		Reread: f.reread, Drains: &f.drains, Clusters: f.clusters,
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
		if i == xdsListener && f.started.identityAlone() {
			continue
		}
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
	files, err := envoy.OpenFiles()
	if err != nil {
		return err
	}
	d.config.Envoy.MaxConnections = cmp.Or(d.config.Envoy.MaxConnections, envoy.Connections(files))
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
	f.publishing.Lock()
	defer f.publishing.Unlock()
	d.plan = d.plan.Drain(f.drains.names())
	var err error
	if d.plan.Identity, err = f.started.identity(d.topology); err != nil { // Envoy and our server have to agree
		return err
	}
	if f.started.identityAlone() {
		f.tell(d)
		f.aloneNow(d)
		return nil
	}
	changed, err := f.offer(d)
	f.note(changed, err)
	return err
}

// note remembers how a reading of the configuration ended.
func (f *frontDoor) note(changed bool, err error) {
	result, label := server.Unchanged, ""
	var byEnvoy *xds.RefusedError
	switch {
	case errors.As(err, &byEnvoy):
		result, label = server.Refused, refusedByEnvoy
	case err != nil:
		result = server.Refused
	case changed:
		result = server.Published
	}
	f.reloads.WithLabelValues(cmp.Or(label, string(result))).Inc()
	f.reload.Store(&server.Reload{At: time.Now(), Result: result, Err: err})
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
	if !f.started.identityAlone() && !f.xds.Ready() {
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
		if f.listeners[i] == nil {
			continue
		}
		servers.Go(func() error { return served(serve(f.listeners[i])) })
	}
	servers.Go(func() error { return f.watch(ending) })
	servers.Go(func() error { f.notify.run(serving, ending); return nil })
	servers.Go(func() error { return f.heedEnvoys(ending) })

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
	f.secrets.Close()
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
	f.secrets.Close()
	f.revocations.stop()
	return f.identity.Close()
}
