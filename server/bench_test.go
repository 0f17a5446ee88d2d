package server

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"

	"axon/bench/load"
	"axon/server/identity"
	"axon/xds/topology"
	"axon/xds/translate"
)

const (
	rate      = 2000 // requests a second
	someUsers = 1000
)

// BenchmarkThroughEnvoy sends requests at a fixed rate through a real Envoy, whatever the answers take, and reports what
// 50 and 99 of 100 took at most, from when they were due: without being asked about, with a gRPC server asked through a unix
// socket that always says the same, and with Axon asked about users whom it knows. Envoy, Axon, the worker and the clients
// share the machine, so the middle one tells what of the last is Axon's.
//
//	go test ./server -run '^$' -bench ThroughEnvoy -benchtime 20000x
func BenchmarkThroughEnvoy(b *testing.B) {
	tokens := nativeTokens(someUsers)
	for _, asked := range []string{"nobody", "parrot", "axon"} {
		b.Run("asked="+asked, func(b *testing.B) {
			socket := socketPath(b)
			serveApart(b, socket, asked)
			p, address := homeserver(b, func(name string) topology.Address { return cheapWorker(b, name) })
			p.Identity = identityAt(socket)
			d := startDoor(b, timed(b, translate.Translate(p)), address)
			path := "/_matrix/client/v3/capabilities" // a route that asks nobody
			if asked != "nobody" {
				path = "/_matrix/client/v3/sync?since=s1"
			}
			paced(b, d, path, tokens, rate) // warm
			b.ResetTimer()
			took := paced(b, d, path, tokens, b.N)
			report(b, "all", took, func(t times) time.Duration { return t.all })
			report(b, "check", took, func(t times) time.Duration { return t.check })
		})
	}
}

const apart, apartWho = "AXON_BENCH_SOCKET", "AXON_BENCH_ASKED"

// serveApart has another process answer at the socket, as in life: in this one, Go would have the clients' goroutines wait
// for the server's.
func serveApart(b *testing.B, socket, who string) {
	b.Helper()
	server := exec.Command(os.Args[0], "-test.run", "^TestServeApart$")
	server.Env, server.Stderr = append(os.Environ(), apart+"="+socket, apartWho+"="+who), os.Stderr
	until, err := server.StdinPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = until.Close()
		if err := server.Wait(); err != nil {
			b.Error(err)
		}
	})
	for range 400 {
		if c, err := net.Dial("unix", socket); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	b.Fatal("the other process does not serve")
}

// TestServeApart is the other process of serveApart, and nothing on its own.
func TestServeApart(t *testing.T) {
	socket := os.Getenv(apart)
	if socket == "" {
		return
	}
	if os.Getenv(apartWho) == "parrot" {
		repeat(t, socket)
		return
	}
	cache, err := identity.NewCache(identity.DefaultConfig(), resolver(everybody), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	for _, token := range nativeTokens(someUsers) {
		_, _ = cache.Resolve(t.Context(), identity.Request{Token: token})
	}
	serve(t, socket, Options{Resolver: cache, Policy: identity.DefaultPolicy(), Log: quiet()})
	_, _ = io.Copy(io.Discard, os.Stdin) // its end is ours
}

// parrot always gives the same answer.
type parrot struct {
	authv3.UnimplementedAuthorizationServer
	answer *authv3.CheckResponse
}

func (p parrot) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return p.answer, nil
}

// repeat serves a parrot with our server's options until the standard input ends.
func repeat(t *testing.T, socket string) {
	t.Helper()
	l, err := AuthzConfig{Address: "unix:" + socket, Mode: "0600"}.Listen()
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(authzOptions...)
	authv3.RegisterAuthorizationServer(server, parrot{answer: allowed(told{})})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		server.Stop()
	}()
	if err := server.Serve(l); err != nil {
		t.Error(err)
	}
}

// cheapWorker costs as little as it can.
func cheapWorker(b *testing.B, name string) topology.Address {
	b.Helper()
	w, err := load.NewWorker(name, "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.Close)
	address, err := topology.ParseAddress(w.Address())
	if err != nil {
		b.Fatal(err)
	}
	return address
}

// times are those of a request, and of Envoy's question to Axon about it.
type times struct{ all, check time.Duration }

func report(b *testing.B, what string, took []times, of func(times) time.Duration) {
	b.Helper()
	slices.SortFunc(took, func(x, y times) int { return cmp.Compare(of(x), of(y)) })
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(of(took[len(took)*p/100]).Microseconds()), fmt.Sprintf("%s-p%d-µs", what, p))
	}
}

const checkTime = "x-check-microseconds"

// timed has Envoy say in a header of each answer how long Axon's took. (Its ext_authz filter measures that itself.)
func timed(b *testing.B, r translate.Resources) translate.Resources {
	b.Helper()
	for _, l := range r.Listeners {
		network := l.FilterChains[0].Filters[0]
		manager := &hcmv3.HttpConnectionManager{}
		if err := network.GetTypedConfig().UnmarshalTo(manager); err != nil {
			b.Fatal(err)
		}
		for _, f := range manager.HttpFilters {
			authz := &authzv3.ExtAuthz{}
			if !f.GetTypedConfig().MessageIs(authz) {
				continue
			}
			if err := f.GetTypedConfig().UnmarshalTo(authz); err != nil {
				b.Fatal(err)
			}
			authz.EmitFilterStateStats = true
			if err := f.GetTypedConfig().MarshalFrom(authz); err != nil {
				b.Fatal(err)
			}
		}
		if err := network.GetTypedConfig().MarshalFrom(manager); err != nil {
			b.Fatal(err)
		}
	}
	for _, routes := range r.Routes {
		routes.ResponseHeadersToAdd = append(routes.ResponseHeadersToAdd, &corev3.HeaderValueOption{Header: &corev3.HeaderValue{
			Key: checkTime, Value: "%FILTER_STATE(envoy.filters.http.ext_authz:FIELD:latency_us)%",
		}})
	}
	return r
}

// skip takes an answer that has a content-length off a connection, and gives how long Envoy waited for Axon, 0 where it did not.
func skip(from *bufio.Reader) (check time.Duration, err error) {
	length := 0
	for {
		line, err := from.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if text, ok := bytes.CutPrefix(line, []byte("content-length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(text))); err != nil {
				return 0, err
			}
		}
		if text, ok := bytes.CutPrefix(line, []byte(checkTime+": ")); ok {
			if n, err := strconv.Atoi(string(bytes.TrimSpace(text))); err == nil { // "-" where nobody was asked
				check = time.Duration(n) * time.Microsecond
			}
		}
		if len(line) == 2 {
			_, err := from.Discard(length)
			return check, err
		}
	}
}

// paced sends n requests over connections that stay open, and gives how long each took.
func paced(b *testing.B, d door, path string, tokens []string, n int) []times {
	b.Helper()
	const connections = 32
	due := make(chan int, n)
	start, sent := time.Now(), make([]time.Time, n)
	go func() {
		defer close(due)
		for i := range n {
			time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / rate)))
			sent[i] = time.Now() // a sleep may be too long: that is not the proxy's
			due <- i
		}
	}()
	took := make([]times, n)
	var clients sync.WaitGroup
	for range connections {
		conn, err := net.Dial("tcp", d.address)
		if err != nil {
			b.Fatal(err)
		}
		clients.Go(func() {
			defer conn.Close()
			from := bufio.NewReader(conn)
			for i := range due {
				fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", path, tokens[i%len(tokens)])
				check, err := skip(from)
				if err != nil {
					b.Error(err)
					return
				}
				took[i] = times{time.Since(sent[i]), check}
			}
		})
	}
	clients.Wait()
	return took
}
