package revocation

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"axon/e2e/process"
)

// server is a redis-server on a unix socket, which a killed one leaves to the next.
type server struct {
	dir, socket string
	args        []string
	process     *process.Process
}

func startRedis(t *testing.T, args ...string) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "rv") // t.TempDir is too long for a unix socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &server{dir: dir, socket: filepath.Join(dir, "redis.sock"), args: args}
	s.start(t)
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("find redis-server in PATH: run e2e/install.sh")
	}
	args := append([]string{"--port", "0", "--unixsocket", s.socket, "--save", "", "--appendonly", "no", "--dir", s.dir}, s.args...)
	p, err := process.Start(exec.Command(path, args...), filepath.Join(s.dir, "redis.log"), syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	s.process = p
	t.Cleanup(func() { _ = p.Kill() })
	eventually(t, "redis-server listens", func() bool {
		c, err := net.Dial("unix", s.socket)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

func (s *server) kill(t *testing.T) {
	t.Helper()
	if err := s.process.Kill(); err != nil {
		t.Fatal(err)
	}
}

func (s *server) address() string { return "unix:" + s.socket }

// client is whoever may do everything.
func (s *server) client(t *testing.T, user, password string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket, Username: user, Password: password, Protocol: 2})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func publish(t *testing.T, c *redis.Client, channel, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Publish(ctx, channel, line).Err(); err != nil {
		t.Fatal(err)
	}
}
