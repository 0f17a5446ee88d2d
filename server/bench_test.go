package server

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"axon/bench/load"
	"axon/server/identity"
	"axon/xds/topology"
	"axon/xds/translate"
)

// rate is in requests a second.
const rate = 2000

// BenchmarkThroughEnvoy sends requests at a fixed rate through a real Envoy, whatever the answers take, and reports what
// 50 and 99 of 100 took at most, from when they were due: without being asked about, and with Axon asked through a unix
// socket about users whom it knows. Envoy, Axon, the worker and the clients share the machine.
//
//	go test ./server -run '^$' -bench ThroughEnvoy -benchtime 20000x
func BenchmarkThroughEnvoy(b *testing.B) {
	tokens := nativeTokens(1000)
	for _, asked := range []bool{false, true} {
		b.Run(fmt.Sprintf("asked=%v", asked), func(b *testing.B) {
			socket := socketPath(b)
			cache, err := identity.NewCache(identity.DefaultConfig(), resolver(everybody), nil)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = cache.Close() })
			for _, token := range tokens {
				_, _ = cache.Resolve(b.Context(), identity.Request{Token: token})
			}
			serve(b, socket, Options{Resolver: cache, Policy: identity.DefaultPolicy(), Log: quiet()})
			p, address := homeserver(b, func(name string) topology.Address { return cheapWorker(b, name) })
			p.Identity = identityAt(socket)
			d := startDoor(b, translate.Translate(p), address)
			path := "/_matrix/client/v3/capabilities" // a route that asks nobody
			if asked {
				path = "/_matrix/client/v3/sync?since=s1"
			}
			paced(b, d, path, tokens, rate) // warm
			b.ResetTimer()
			took := paced(b, d, path, tokens, b.N)
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
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

// skip takes an answer that has a content-length off a connection.
func skip(from *bufio.Reader) error {
	length := 0
	for {
		line, err := from.ReadSlice('\n')
		if err != nil {
			return err
		}
		if text, ok := bytes.CutPrefix(line, []byte("content-length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(text))); err != nil {
				return err
			}
		}
		if len(line) == 2 {
			_, err := from.Discard(length)
			return err
		}
	}
}

// paced sends n requests over connections that stay open, and gives how long each took.
func paced(b *testing.B, d door, path string, tokens []string, n int) []time.Duration {
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
	took := make([]time.Duration, n)
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
				if err := skip(from); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(sent[i])
			}
		})
	}
	clients.Wait()
	return took
}
