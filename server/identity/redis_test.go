package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// realRedis is a redis-server of the test's own.
type realRedis struct {
	socket string
	cmd    *exec.Cmd
	client *redis.Client // for the test to look
}

// startRedis starts one on a unix socket with more arguments; without the binary the test fails.
func startRedis(t testing.TB, more ...string) *realRedis {
	t.Helper()
	dir, err := os.MkdirTemp("", "axon-redis")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := &realRedis{socket: filepath.Join(dir, "s")}
	r.cmd = exec.Command("redis-server", append([]string{"--port", "0", "--unixsocket", r.socket, "--dir", dir, "--save", ""}, more...)...)
	if err := r.cmd.Start(); err != nil {
		t.Fatalf("redis-server has to be installed: %v", err)
	}
	t.Cleanup(r.kill)
	r.client = redis.NewClient(&redis.Options{Network: "unix", Addr: r.socket})
	t.Cleanup(func() { _ = r.client.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for r.client.Ping(ctx).Err() != nil {
		if ctx.Err() != nil {
			t.Fatal("redis-server does not answer")
		}
		time.Sleep(10 * time.Millisecond)
	}
	return r
}

func (r *realRedis) kill() {
	_ = r.cmd.Process.Kill()
	_, _ = r.cmd.Process.Wait()
}

// hang has it keep its connections and answer nothing.
func (r *realRedis) hang(t *testing.T) {
	t.Helper()
	r.signal(t, syscall.SIGSTOP)
}

func (r *realRedis) goOn(t *testing.T) {
	t.Helper()
	r.signal(t, syscall.SIGCONT)
}

func (r *realRedis) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// everything is all keys with their values, those of numbers included.
func (r *realRedis) everything(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	keys, err := r.client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		all[k] = r.client.Get(t.Context(), k).Val()
	}
	return all
}

// certificate makes one for 127.0.0.1 that signs itself.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return written(t, "cert.pem", encode("CERTIFICATE", cert)), written(t, "key.pem", encode("PRIVATE KEY", private))
}

// freePort is one that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
