package envoy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// flags are Envoy's flags, without the file of the bootstrap.
func flags(c Config) []string {
	f := append(hotFlags(c),
		"--drain-time-s", strconv.Itoa(int(drainTime.Seconds())), // a change of a listener cuts what lasts longer than this: never a poll
		"--reject-unknown-dynamic-fields",   // all of it is Axon's own, so that is a fault, not a newer dialect
		"--file-flush-interval-msec", "500", // access logs: else they come 10 s late
		"--log-level", c.LogLevel, "--log-format", logFormat, "--log-format-escaped",
	)
	if c.Concurrency > 0 {
		f = append(f, "--concurrency", strconv.Itoa(c.Concurrency))
	}
	return f
}

// drainTime is how long an Envoy takes to close the connections of a listener that has changed, or that it has handed over.
const drainTime = 10 * time.Minute

// start starts an Envoy where none serves.
func (s *Supervisor) start() (*process, error) {
	if err := adminFree(s.config.Admin); err != nil {
		return nil, err
	}
	return s.launch(s.firstEpoch())
}

// launch starts an Envoy, with flags beside the usual ones, and writes down what a later Axon has to know of it.
func (s *Supervisor) launch(more []string) (*process, error) {
	bootstrap, err := BootstrapJSON(s.bootstrap)
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}
	file := filepath.Join(s.config.Dir, bootstrapName)
	if err := writeFile(file, bootstrap); err != nil {
		return nil, fmt.Errorf("envoy.dir: %w", err)
	}
	p, err := startProcess(s.binary, slices.Concat([]string{"-c", file}, s.flags, more), s.tail.file, s.config.HotRestart)
	if err != nil {
		return nil, fmt.Errorf("start envoy: %w", err)
	}
	s.current = s.admin
	if now, err := digest(s.binary, s.bootstrap, s.flags); err == nil {
		s.digest = now // another binary may stand there than at Axon's start
	}
	if err := s.note(p, time.Now()); err != nil {
		_ = p.signal(unix.SIGKILL) // else nobody would know of it
		return nil, err
	}
	s.log.Info("started envoy", "pid", p.pid, "binary", s.binary, "admin", s.config.Admin, "max_connections", s.config.MaxConnections)
	return p, nil
}

// note writes down which Envoy runs, for a later Axon.
func (s *Supervisor) note(p *process, started time.Time) error {
	now := state{PID: p.pid, StartTime: p.start, Started: started, Admin: s.config.Admin, Digest: s.digest}
	if old := s.older; old != nil && old.alive() {
		now.Older = &ancestor{PID: old.pid, StartTime: old.start}
	}
	if err := now.save(s.config.Dir); err != nil {
		return fmt.Errorf("envoy.dir: %w", err)
	}
	s.started, s.runs, s.own = started, s.digest, true
	return nil
}

// answerTime is what an Envoy to be taken over has to answer its admin interface.
const answerTime = 5 * time.Second

// takeOver gives the Envoy that an earlier Axon left behind, if that is what the configuration wants. If it is not, it is drained
// and ended; if it does not answer, ended. Then, and if there is none, the process is nil.
func (s *Supervisor) takeOver(ctx context.Context) (*process, error) {
	left, err := loadState(s.config.Dir)
	if err != nil || left == nil {
		return nil, err
	}
	p, err := adoptProcess(left.PID, left.StartTime)
	if err == nil {
		s.older, err = left.Older.adopt()
	}
	if err != nil || p == nil {
		s.finish(s.older)
		return nil, err
	}
	s.started, s.runs, s.own = left.Started, left.Digest, left.Digest == s.digest
	admin, err := NewAdmin(left.Admin)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", stateName, err)
	}
	asking, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	info, silent := admin.ServerInfo(asking)
	if epoch := info.GetCommandLineOptions().GetRestartEpoch(); epoch > 0 {
		s.retire(s.older, epoch)
	}
	switch {
	case silent != nil && ctx.Err() == nil:
		s.log.Error("the envoy of an earlier run does not answer: ending it", "pid", p.pid, "error", silent)
		s.kill(p)
		return nil, nil
	case left.Digest != s.digest && ctx.Err() == nil && s.canFollow(ctx, info):
		s.log.Info("took over an envoy with another binary, bootstrap or flags: it will hand over to a new one", "pid", p.pid)
		s.current = admin
		return p, nil
	case left.Digest != s.digest && ctx.Err() == nil:
		s.log.Warn("the envoy of an earlier run has another binary, bootstrap or flags: replacing it", "pid", p.pid)
		s.end(p, admin)
		return nil, nil
	}
	s.log.Info(fmt.Sprintf("took over envoy pid %d, serving since %s", p.pid, left.Started.Format(time.RFC3339)), "pid", p.pid)
	return p, nil
}

const inUse = "envoy.admin: %s is in use by another process; end it, or set envoy.admin to another address"

// adminFree tells early and clearly what Envoy would say by ending at once.
func adminFree(admin string) error {
	a, err := parseAddress(admin)
	if err != nil {
		return fmt.Errorf("envoy.admin: %w", err)
	}
	if a.network == "unix" { // listening would remove a stale socket, which is Envoy's to do
		if c, err := net.DialTimeout(a.network, a.dial(), time.Second); err == nil {
			_ = c.Close()
			return fmt.Errorf(inUse, admin)
		}
		return nil
	}
	l, err := net.Listen(a.network, a.dial())
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf(inUse, admin)
	case err != nil:
		return fmt.Errorf("envoy.admin: %w", err)
	}
	return l.Close()
}

// frontFree tells of an address that another process listens on. Envoy would share the port without a word (SO_REUSEPORT), and
// each of the two get some of the connections.
func frontFree(listeners []string) error {
	var faults []error
	for _, address := range listeners {
		l, err := net.Listen("tcp", address)
		if err != nil {
			faults = append(faults, fmt.Errorf("listener %q: %w; end the process that has it, or choose another address", address, err))
			continue
		}
		faults = append(faults, l.Close())
	}
	return errors.Join(faults...)
}

// lockFolder makes the folder if need be and locks it against a second Axon, which would take a living Axon's Envoy over. The
// kernel lifts the lock when Axon ends in whatever way.
func lockFolder(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("envoy.dir: %w; set it to a folder that Axon may write to", err)
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return nil, fmt.Errorf("envoy.dir: %s: %w; set it to a folder that Axon may write to", dir, err)
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("envoy.dir: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(f.Close(),
			fmt.Errorf("envoy.dir: %s: another axon runs an envoy from here (%w); end it, or set envoy.dir to another folder", dir, err))
	}
	return func() { _ = f.Close() }, nil
}
