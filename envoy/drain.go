package envoy

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

const (
	drainPause = 100 * time.Millisecond // between looks at what is in flight
	killAfter  = 5 * time.Second        // of SIGTERM; Envoy takes some 10 ms
)

// end lets the requests in flight finish, for at most the drain time or until somebody hurries, and then ends the process.
func (s *Supervisor) end(p *process, admin *Admin) {
	s.log.Info("draining envoy", "pid", p.pid, "at_most", s.config.Drain)
	if left := s.drain(p, admin); left > 0 {
		s.log.Warn("the drain is over: dropping requests", "pid", p.pid, "requests", left)
	}
	s.finish(p)
	s.pid.Store(0)
}

// finish ends a process, if there is one, in peace or else by force.
func (s *Supervisor) finish(p *process) {
	if p == nil || !p.alive() {
		return
	}
	if err := p.signal(unix.SIGTERM); err != nil && p.alive() {
		s.log.Warn("cannot end envoy", "pid", p.pid, "error", err)
	}
	select {
	case <-p.exited:
	case <-time.After(killAfter):
		s.log.Warn("envoy does not end: killing it", "pid", p.pid)
		s.kill(p)
	}
	s.log.Info("envoy ended", "pid", p.pid)
}

// drain gives the number of requests that are still in flight at its end; -1 when Envoy does not say.
func (s *Supervisor) drain(p *process, admin *Admin) (left int) {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Drain)
	defer cancel()
	go func() {
		select {
		case <-s.hurry:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := admin.DrainListeners(ctx); err != nil {
		if ctx.Err() == nil && p.alive() {
			s.log.Warn("cannot drain envoy", "pid", p.pid, "error", err)
		}
		return -1
	}
	for left = -1; ; {
		n, err := admin.InFlight(ctx)
		if err == nil {
			left = n
		}
		if left == 0 && (s.older == nil || !s.older.alive()) { // an older one can't say what it has in flight
			return 0
		}
		select {
		case <-ctx.Done():
			return left
		case <-p.exited:
			return left
		case <-time.After(drainPause):
		}
	}
}

// kill ends a process at once and waits for its end.
func (s *Supervisor) kill(p *process) {
	if err := p.signal(unix.SIGKILL); err != nil && p.alive() {
		s.log.Error("cannot kill envoy", "pid", p.pid, "error", err)
		return
	}
	<-p.exited
}
