package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"axon/e2e/process"
	"axon/e2e/synapse"
	"axon/xds/topology"
)

// redisServer is the Redis of a homeserver.
type redisServer struct {
	*topology.Redis
	t   testing.TB // the test with whose end it ends
	dir string
}

func redisOf(t *testing.T, hs *synapse.Homeserver) redisServer {
	t.Helper()
	files := topology.SynapseConfig{Config: []string{hs.ConfigPath}, Workers: []string{hs.WorkersDir}}
	top, err := topology.Load(topology.Config{Synapse: files}, nil, hs.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return redisServer{top.Redis, t, hs.Dir}
}

// links are the connections that it has now, by their ids.
func (r redisServer) links() []string {
	r.t.Helper()
	var ids []string
	for _, found := range regexp.MustCompile(`(?m)^id=(\d+) `).FindAllStringSubmatch(r.do("client", "list").(string), -1) {
		ids = append(ids, found[1])
	}
	return ids
}

// cut ends connections. Some may have ended by themselves.
func (r redisServer) cut(ids []string) {
	r.t.Helper()
	for _, id := range ids {
		r.do("client", "kill", "id", id)
	}
}

func (r redisServer) do(command ...any) any {
	r.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: r.Address.String(), Protocol: 2})
	defer client.Close()
	answer, err := client.Do(r.t.Context(), command...).Result()
	if err != nil {
		r.t.Fatal(err)
	}
	return answer
}

// kill ends it as a crash would.
func (r redisServer) kill() {
	t := r.t
	t.Helper()
	found := regexp.MustCompile(`process_id:(\d+)`).FindStringSubmatch(r.do("info", "server").(string))
	if found == nil {
		t.Fatal("Redis does not tell its process")
	}
	pid, _ := strconv.Atoi(found[1])
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Redis is gone", func() bool {
		c, err := net.DialTimeout("tcp", r.Address.String(), time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
}

// start starts it again, where it was.
func (r redisServer) start() {
	t := r.t
	t.Helper()
	cmd := exec.Command("redis-server", "--port", fmt.Sprint(r.Address.Port), "--bind", r.Address.Host,
		"--save", "", "--appendonly", "no", "--dir", r.dir)
	p, err := process.Start(cmd, filepath.Join(r.dir, "redis-again.log"), syscall.SIGTERM)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(syscall.SIGTERM, 10*time.Second); err != nil {
			t.Errorf("stop Redis: %v", err)
		}
	})
}
