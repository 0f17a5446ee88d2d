package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// systemd is the other end of $NOTIFY_SOCKET.
type systemd struct {
	socket string
	mu     sync.Mutex
	said   []string
}

func (s *site) systemd(t *testing.T) *systemd {
	t.Helper()
	d := &systemd{socket: s.path("notify.sock")}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: d.socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		message := make([]byte, 4096)
		for {
			n, err := c.Read(message)
			if err != nil {
				return
			}
			d.mu.Lock()
			d.said = append(d.said, string(message[:n]))
			d.mu.Unlock()
		}
	}()
	return d
}

// hears waits for a message that the regular expression matches, after as many that it has heard before, and gives the number of
// those heard then.
func (d *systemd) hears(t *testing.T, after int, pattern string) int {
	t.Helper()
	re := regexp.MustCompile(pattern)
	heard := 0
	eventually(t, "systemd", func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if i := slices.IndexFunc(d.said[after:], re.MatchString); i >= 0 {
			heard = after + i + 1
			return nil
		}
		return fmt.Errorf("not told %q but %q", pattern, d.said[after:])
	})
	return heard
}

func TestSystemdIsTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := s.systemd(t)
	p := s.launch(t, "env", "NOTIFY_SOCKET="+d.socket, "WATCHDOG_USEC=600000", "axon", "run", "-c", s.path("axon.yaml"))
	n := d.hears(t, 0, `(?m)^READY=1\nSTATUS=serving 7 workers, snapshot [0-9a-f]{16}$`)
	if status := s.get(s.front, "/_matrix/client/versions"); status != 200 {
		t.Errorf("READY=1, and a request gets %d", status)
	}
	n = d.hears(t, n, `^WATCHDOG=1$`)

	good := fmt.Sprintf(workerYAML, "sync-3", s.workers["sync-3"].Port(), "client")
	s.write(t, "workers/sync-3.yaml", good+"  - {type: http\n")
	n = d.hears(t, n, `^RELOADING=1\nMONOTONIC_USEC=\d+$`)
	n = d.hears(t, n, `^READY=1\nSTATUS=serving 7 workers, snapshot [0-9a-f]{16}; last reload refused: .*sync-3\.yaml:5`)
	s.write(t, "workers/sync-3.yaml", good)
	n = d.hears(t, n, `^RELOADING=1`)
	n = d.hears(t, n, `^READY=1\nSTATUS=serving 7 workers, snapshot [0-9a-f]{16}$`)
	p.signal(t, syscall.SIGHUP)
	n = d.hears(t, n, `^RELOADING=1`)
	n = d.hears(t, n, `^READY=1`)

	p.signal(t, syscall.SIGTERM)
	d.hears(t, n, `^STOPPING=1\nSTATUS=ending: `)
	if code := p.exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestSystemdHearsThatEnvoyDoesNotServe(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := s.systemd(t)
	s.launch(t, "env", "NOTIFY_SOCKET="+d.socket, "axon", "run", "-c", s.path("axon.yaml"))
	n := d.hears(t, 0, `(?m)^READY=1$`)
	pid, err := s.envoyPID()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	n = d.hears(t, n, `^STATUS=not serving: envoy does not serve`)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	d.hears(t, n, `^STATUS=serving 7 workers`)
}

func TestTheWatchdogIsForServersThatAnswer(t *testing.T) {
	t.Parallel()
	hung, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, and nobody answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hung.Close() })
	for i, name := range []string{"authz", "xds", "admin"} {
		t.Run(name, func(t *testing.T) {
			f := &frontDoor{}
			f.listeners[i] = hung
			if err := f.alive(t.Context()); err == nil || !strings.Contains(err.Error(), hung.Addr().String()) {
				t.Errorf("alive: %v", err)
			}
		})
	}
}

// ends sees that Axon, told to end, does so with 0 and in time, and that no Envoy stays.
func (s *site) ends(t *testing.T, p *process, limit time.Duration) {
	t.Helper()
	envoy, err := s.envoyPID()
	began := time.Now()
	p.signal(t, syscall.SIGTERM)
	if code := p.exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took > limit {
		t.Errorf("took %s", took)
	}
	if err == nil && alive(envoy) {
		t.Error("an envoy was left")
	}
}

func TestRunEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before func(t *testing.T, s *site)
		change []string
		limit  time.Duration
	}{
		"while Envoy hangs": {before: func(t *testing.T, s *site) {
			pid, err := s.envoyPID()
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}, limit: 20 * time.Second},
		"while a poll is held, which is cut": {before: func(t *testing.T, s *site) {
			go func() {
				c, err := net.Dial("tcp", s.front)
				if err != nil {
					return
				}
				defer c.Close()
				fmt.Fprintf(c, "GET /_matrix/client/v3/sync?since=s1&timeout=600000 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %s\r\n\r\n", s.users[0].native)
				_, _ = io.Copy(io.Discard, c)
			}()
			time.Sleep(time.Second)
		}, limit: 15 * time.Second},
		"without an Envoy": {change: []string{"run: true", "run: false"}, limit: 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.configure(t, append(test.change, "concurrency: 1", "concurrency: 1, drain: 2s")...)
			p := s.launch(t, "axon", "run", "-c", s.path("axon.yaml"))
			eventually(t, "readiness", func() error {
				if status := s.get(s.admin, "/readyz"); status != 200 {
					return fmt.Errorf("/readyz: %d", status)
				}
				return nil
			})
			if test.before != nil {
				s.await(t, p)
				test.before(t, s)
			}
			s.ends(t, p, test.limit)
		})
	}
}

func TestRunThatIsToldToEndAtOnceLeavesNoEnvoyOfAnEarlierRun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run(t).kill()
	pid, err := s.envoyPID()
	if err != nil || !alive(pid) {
		t.Fatal("no envoy was left", err)
	}
	ctx, end := context.WithCancel(t.Context())
	end()
	var stderr strings.Builder
	if code := run(ctx, []string{"run", "-c", s.path("axon.yaml")}, io.Discard, &stderr); code != 0 {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
	if alive(pid) {
		t.Errorf("envoy was left: %s", stderr.String())
	}
}
