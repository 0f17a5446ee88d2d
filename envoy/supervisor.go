package envoy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"
)

// Options is what a Supervisor needs.
type Options struct {
	Config     Config                 // valid, with defaults; Admin has to be the bootstrap's
	Binary     string                 // from Find
	Bootstrap  *bootstrapv3.Bootstrap // from Bootstrap
	Listeners  []string               // host:port of what Envoy will listen on; these have to be free when it starts
	Log        *slog.Logger
	Registerer prometheus.Registerer // for axon_envoy_restarts_total; nil: no metric
}

// A Supervisor runs an Envoy for as long as Axon wants one: it starts it, or takes over the one that a crashed Axon left serving,
// starts it again when it ends, and drains and ends it when Axon is told to end.
//
// A crash of Axon leaves Envoy alone. (Under systemd that takes KillMode=process and RuntimeDirectoryPreserve=restart, else systemd
// ends Envoy and removes its state.)
type Supervisor struct {
	config    Config
	binary    string
	bootstrap *bootstrapv3.Bootstrap
	listeners []string
	flags     []string
	digest    string
	admin     *Admin
	log       *slog.Logger
	tail      *logTail
	restarts  prometheus.Counter
	hurry     chan struct{}
	hurryOnce sync.Once
	pid       atomic.Int64

	// What follows belongs to Run.
	current *Admin    // of the Envoy that runs
	started time.Time // when that was
	runs    string    // its digest
	own     bool      // it differs from what is wanted by nothing but, perhaps, the binary
	older   *process  // the one that it took over from, which finishes what it had begun
	standIn func()    // ends what stands in for the older one; see retire
	// What the looks for a change have found: the last digest, one that cannot be had, one that was told of.
	seen, refused, told string
}

// NewSupervisor makes a Supervisor. It starts nothing yet.
func NewSupervisor(o Options) (*Supervisor, error) {
	admin, err := NewAdmin(o.Config.Admin)
	if err != nil {
		return nil, err
	}
	if a, _ := parseAddress(o.Config.Admin); !proto.Equal(a.proto(), o.Bootstrap.GetAdmin().GetAddress()) {
		return nil, fmt.Errorf("envoy: the bootstrap's admin address is not %s", o.Config.Admin)
	}
	s := &Supervisor{
		config:    o.Config,
		binary:    o.Binary,
		bootstrap: o.Bootstrap,
		listeners: o.Listeners,
		flags:     flags(o.Config),
		admin:     admin,
		current:   admin,
		log:       o.Log.With(slog.String("component", "envoy")),
		restarts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "axon_envoy_restarts_total",
			Help: "How often the supervised Envoy was started again because it had ended by itself.",
		}),
		hurry: make(chan struct{}),
	}
	if s.digest, err = digest(o.Binary, o.Bootstrap, s.flags); err != nil {
		return nil, fmt.Errorf("envoy: %w", err)
	}
	if o.Registerer != nil {
		if err := o.Registerer.Register(s.restarts); err != nil {
			return nil, fmt.Errorf("envoy: %w", err)
		}
	}
	return s, nil
}

// Admin is the client of the supervised Envoy's admin interface.
func (s *Supervisor) Admin() *Admin { return s.admin }

// PID is the process ID of the Envoy that runs, 0 while there is none.
func (s *Supervisor) PID() int { return int(s.pid.Load()) }

// Hurry cuts a drain short: what is in flight is dropped. It is for a second SIGTERM.
func (s *Supervisor) Hurry() { s.hurryOnce.Do(func() { close(s.hurry) }) }

// Run has an Envoy running until the context ends, and returns when that Envoy has ended, too: nil, or why there could be none.
// The control plane should go on until then, as Envoy needs it while it drains.
func (s *Supervisor) Run(ctx context.Context) (err error) {
	unlock, err := lockFolder(s.config.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	stopLogs, err := s.readLogs(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopLogs()) }()
	p, err := s.takeOver(ctx)
	if err != nil {
		return err // the files stay: an Envoy may run that they are about
	}
	if p == nil {
		if p, err = s.first(ctx); p == nil {
			return errors.Join(err, s.forget())
		}
	}
	s.keep(ctx, p)
	s.finish(s.older)
	if s.standIn != nil {
		s.standIn()
	}
	return s.forget()
}

// first starts an Envoy where none runs. A nil process without an error: the context has ended before.
func (s *Supervisor) first(ctx context.Context) (*process, error) {
	if err := Validate(ctx, s.binary, s.bootstrap); err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	if ctx.Err() != nil {
		return nil, nil
	}
	if err := frontFree(s.listeners); err != nil {
		return nil, err
	}
	return s.start()
}

// longRun is how long an Envoy has to run for its end to be a new trouble, and not the last one going on.
const longRun = time.Minute

// keep starts Envoy again, with longer and longer pauses, whenever it has ended, and ends it when the context ends.
func (s *Supervisor) keep(ctx context.Context, p *process) {
	pauses := &backoff.ExponentialBackOff{
		InitialInterval: 100 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 10 * time.Second,
	}
	pauses.Reset()
	crashes := &crashLoop{}
	looks, stop := s.looks()
	defer stop()
	for since := time.Now(); ; {
		s.pid.Store(int64(p.pid))
		select {
		case <-ctx.Done():
			s.end(p, s.current)
			return
		case <-looks:
			if fresh := s.look(ctx, p); fresh != p {
				p, since = fresh, time.Now()
			}
			continue
		case <-p.exited:
			s.pid.Store(0)
		}
		if time.Since(since) > longRun {
			pauses.Reset()
		}
		crashes.ended(since)
		s.log.Error("envoy ended by itself", "pid", p.pid, "how", p.how, "served_for", time.Since(since).Round(time.Millisecond))
		if p = s.again(ctx, pauses, crashes, p.how); p == nil {
			return
		}
		since = time.Now()
	}
}

// again starts Envoy, after a pause, until that succeeds or the context ends; then it gives nil.
func (s *Supervisor) again(ctx context.Context, pauses backoff.BackOff, crashes *crashLoop, how string) *process {
	for {
		pause := pauses.NextBackOff()
		s.log.Warn("starting envoy again", "pause", pause.Round(time.Millisecond))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		s.complain(crashes, how) // after the pause, in which Envoy's last words have been read
		p, err := s.start()
		if err == nil {
			s.restarts.Inc()
			return p
		}
		s.log.Error("cannot start envoy", "error", err)
		crashes.failed()
		how = err.Error()
	}
}

// forget removes what only serves to take a running Envoy over.
func (s *Supervisor) forget() error {
	faults := []error{s.forgetHot()}
	for _, name := range []string{stateName, bootstrapName, logName} {
		if err := os.Remove(filepath.Join(s.config.Dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// readLogs begins to pass Envoy's log lines on; the function that it gives passes on the rest and stops.
func (s *Supervisor) readLogs(ctx context.Context) (stop func() error, err error) {
	if s.tail, err = openLog(filepath.Join(s.config.Dir, logName), s.log); err != nil {
		return nil, fmt.Errorf("envoy.dir: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() { s.tail.run(ctx) })
	return func() error {
		cancel()
		done.Wait()
		return s.tail.close()
	}, nil
}
