package envoy

import (
	"context"
	"errors"
	"log/slog"
)

// End drains and ends the Envoy that an earlier Axon has left behind, if there is one, for an Axon that is told to end before it has
// taken that over. A send on hurry cuts the drain short.
func End(c Config, log *slog.Logger, hurry <-chan struct{}) (err error) {
	if left, err := loadState(c.Dir); err != nil || left == nil {
		return err
	}
	unlock, err := lockFolder(c.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	left, err := loadState(c.Dir)
	if err != nil || left == nil {
		return err
	}
	admin, err := NewAdmin(left.Admin)
	if err != nil {
		return err
	}
	s := &Supervisor{config: c, log: log.With(slog.String("component", "envoy")), hurry: make(chan struct{})}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-hurry:
			s.Hurry()
		case <-stop:
		}
	}()
	stopLogs, err := s.readLogs(context.Background())
	if err != nil {
		return err
	}
	p, err := adoptProcess(left.PID, left.StartTime)
	if err == nil {
		s.older, err = left.Older.adopt()
	}
	if err == nil && p != nil {
		s.end(p, admin)
	}
	s.finish(s.older)
	return errors.Join(err, stopLogs(), s.forget())
}
