//go:build linux

// Package bench measures a real Envoy with what Axon tells it.
package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/durationpb"

	"axon/envoy/envoytest"
	"axon/xds/translate"
)

// front is a real Envoy with the listeners of a deployment.
type front struct {
	addresses map[string]string // of the listeners
	pid       int
}

func startFront(b *testing.B) *front {
	b.Helper()
	dir := envoytest.ShortDir(b)
	admin := filepath.Join(dir, "admin")
	static, err := translate.Static(resources(b, dir))
	if err != nil {
		b.Fatal(err)
	}
	envoytest.Start(b, &bootstrapv3.Bootstrap{
		Node: &corev3.Node{Id: "bench", Cluster: "bench"}, StaticResources: static,
		StatsFlushInterval: durationpb.New(4 * time.Minute), // five are too many for Envoy; a flush costs as much as some requests
		Admin:              &bootstrapv3.Admin{Address: &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: admin}}}},
	})
	f := &front{addresses: map[string]string{}}
	f.await(b, admin)
	return f
}

func (f *front) await(b *testing.B, admin string) {
	b.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if strings.TrimSpace(ask(b, admin, "/ready")) != "LIVE" {
			continue
		}
		for line := range strings.Lines(ask(b, admin, "/listeners")) {
			name, address, _ := strings.Cut(strings.TrimSpace(line), "::")
			f.addresses[name] = address
		}
		f.pid = peer(b, admin)
		return
	}
	b.Fatal("Envoy is not ready")
}

// ask gives what the admin interface answers, "" where it does not.
func ask(b *testing.B, admin, path string) string {
	b.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", admin)
	}
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Get("http://admin" + path)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

// peer is the process that listens on a unix socket.
func peer(b *testing.B, socket string) (pid int) {
	b.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		credentials, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			b.Error(err)
			return
		}
		pid = int(credentials.Pid)
	})
	if err != nil || pid == 0 {
		b.Fatal("no process behind the socket", err)
	}
	return pid
}

// cpu is the processor's time that Envoy has taken so far: clock_getcpuclockid(3) of its process.
func (f *front) cpu(b *testing.B) time.Duration {
	b.Helper()
	const scheduler = 2
	var at unix.Timespec
	if err := unix.ClockGettime(int32(^f.pid<<3|scheduler), &at); err != nil {
		b.Fatal(fmt.Errorf("time of process %d: %w", f.pid, err))
	}
	return time.Duration(at.Nano())
}
