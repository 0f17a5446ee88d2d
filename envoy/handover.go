package envoy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// binaryPause is between looks at the binary; one that is being written changes from look to look.
const binaryPause = time.Second

// looks ticks when the binary is to be looked at: never without hot restart.
func (s *Supervisor) looks() (<-chan time.Time, func()) {
	if !s.config.HotRestart {
		return nil, func() {}
	}
	tick := time.NewTicker(binaryPause)
	return tick.C, tick.Stop
}

// look starts a new Envoy when the one that runs is not what is wanted any more, and gives the one that serves then. A change has
// to have stood still for a look; what failed is tried again after another change only.
func (s *Supervisor) look(ctx context.Context, p *process) *process {
	now, err := digest(s.binary, s.bootstrap, s.flags)
	settled := now == s.seen
	s.seen = now
	if err != nil || !settled || now == s.runs || now == s.refused {
		return p
	}
	if s.older != nil && s.older.alive() {
		s.refuse(now, p, "an older envoy still finishes what it had begun: the change waits for that")
		s.refused = "" // and is not refused for good
		return p
	}
	if s.own && sameFile(s.binary, fmt.Sprintf("/proc/%d/exe", p.pid)) {
		s.digest = now
		if err := s.note(p, s.started); err != nil {
			s.log.Warn("cannot write down that envoy is as configured", "error", err)
		}
		return p
	}
	fresh, err := s.handOver(ctx, p)
	if err != nil {
		s.refuse(now, p, "envoy cannot hand over to a new one and goes on serving", "error", err)
		return p
	}
	return fresh
}

// refuse says so once for each change.
func (s *Supervisor) refuse(change string, p *process, text string, more ...any) {
	if s.told != change {
		s.log.Warn(text, append([]any{"pid", p.pid}, more...)...)
	}
	s.told, s.refused = change, change
}

// handOver starts an Envoy that takes the listening sockets of p, and returns when it serves. From then on p has no new
// connections, finishes what it has begun and is ended by its successor after parentTime. On an error p goes on serving.
func (s *Supervisor) handOver(ctx context.Context, p *process) (*process, error) {
	asking, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	info, err := s.current.ServerInfo(asking)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.compatible(ctx, info), Validate(ctx, s.binary, s.bootstrap)); err != nil {
		return nil, err
	}
	base, err := s.baseID()
	if err != nil {
		return nil, err
	}
	s.log.Info("envoy's binary, bootstrap or flags have changed: a new envoy takes its sockets over", "pid", p.pid, "at_most", parentTime)
	epoch := info.GetCommandLineOptions().GetRestartEpoch() + 1
	before, had, started := s.runs, s.own, s.started
	s.older = p
	fresh, err := s.launch([]string{"--base-id", strconv.FormatUint(uint64(base), 10), "--restart-epoch", strconv.FormatUint(uint64(epoch), 10)})
	if err == nil {
		if err = s.serves(fresh, epoch); err != nil {
			s.kill(fresh)
		}
	}
	if err != nil {
		s.older, s.digest = nil, before
		err = errors.Join(err, s.note(p, started))
		s.own = had
		return nil, err
	}
	s.retire(p, epoch)
	return fresh, nil
}

// serves waits until a new Envoy has taken over.
func (s *Supervisor) serves(fresh *process, epoch uint32) error {
	ctx, cancel := context.WithTimeout(context.Background(), handOverTime)
	defer cancel()
	for {
		info, err := s.admin.ServerInfo(ctx)
		if err == nil && info.GetCommandLineOptions().GetRestartEpoch() == epoch && s.admin.Ready(ctx) == nil {
			return nil
		}
		select {
		case <-fresh.exited:
			return fmt.Errorf("the new envoy has ended: %s", fresh.how)
		case <-ctx.Done():
			return fmt.Errorf("the new envoy does not serve after %s", handOverTime)
		case <-s.hurry:
			return errors.New("axon is in a hurry to end")
		case <-time.After(drainPause):
		}
	}
}

// retire ends an Envoy that has handed over to the one of that epoch, after parentTime; nil where it has ended already. Then a
// socket stands in for it: its successor, which wants to tell it to end when it hands over itself, would find nobody, try for
// 10 s, and abort (seen on 1.40). For the same reason it is not Envoy that ends its parent by a timer.
func (s *Supervisor) retire(p *process, epoch uint32) {
	if s.standIn != nil {
		s.standIn()
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	s.standIn = func() { cancel(); done.Wait() }
	done.Go(func() {
		if p != nil && !s.outlive(ctx, p) {
			return
		}
		id, err := s.baseID()
		if err != nil {
			return // a hot restart won't be possible either
		}
		path := s.parentSocket(id, epoch-1)
		_ = os.Remove(path)
		socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			s.log.Warn("a second hot restart of envoy may end it", "error", err)
			return
		}
		<-ctx.Done()
		_ = socket.Close()
		_ = os.Remove(path)
	})
}

// outlive waits until a process has ended, and ends it after parentTime. False: ctx has ended before.
func (s *Supervisor) outlive(ctx context.Context, p *process) bool {
	select {
	case <-ctx.Done():
		return false
	case <-p.exited:
	case <-time.After(parentTime):
		s.finish(p)
	}
	s.log.Info("the older envoy has ended", "pid", p.pid)
	return true
}

// sameFile tells whether a binary is the one that runs, byte by byte: an installation may only have touched it.
func sameFile(a, b string) bool {
	one, errA := fileSum(a)
	other, errB := fileSum(b)
	return errA == nil && errB == nil && bytes.Equal(one, other)
}

func fileSum(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), err
}
