package load

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
)

// Worker is a process of a homeserver as far as a proxy can tell: it answers 200 to everything, /health included.
type Worker struct {
	listener net.Listener
	answer   []byte

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
	served sync.WaitGroup
}

// answer has the headers that Synapse sends, and a body as long as that of a sync without news.
const answer = "HTTP/1.1 200 OK\r\n" +
	"Server: Synapse/1.163.2\r\n" +
	"Date: Sat, 21 Nov 2026 08:00:00 GMT\r\n" +
	"Content-Type: application/json\r\n" +
	"Cache-Control: no-cache, no-store, must-revalidate\r\n" +
	"Access-Control-Allow-Origin: *\r\n" +
	"Access-Control-Allow-Methods: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n" +
	"Access-Control-Allow-Headers: X-Requested-With, Content-Type, Authorization, Date\r\n" +
	"Access-Control-Expose-Headers: Synapse-Trace-Id, Server\r\n" +
	"X-Worker: %s\r\n" +
	"Content-Length: %d\r\n\r\n%s"

const body = `{"next_batch":"s72594_4483_1934_12_5_3","device_one_time_keys_count":{"signed_curve25519":50},` +
	`"org.matrix.msc2732.device_unused_fallback_key_types":["signed_curve25519"],"device_unused_fallback_key_types":["signed_curve25519"]}`

// NewWorker starts a worker at an address of package net. Every answer of it has its name in the header X-Worker.
//
// A unix socket is one that nobody else takes while the worker is dead.
func NewWorker(name, network, address string) (*Worker, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), network, address)
	if err != nil {
		return nil, fmt.Errorf("worker %q: %w", name, err)
	}
	w := &Worker{listener: l, answer: fmt.Appendf(nil, answer, name, len(body), body), conns: map[net.Conn]bool{}}
	w.served.Go(w.accept)
	return w, nil
}

// Address is where the worker listens, as package net writes it.
func (w *Worker) Address() string { return w.listener.Addr().String() }

// Close stops listening and cuts every connection, as a killed process does.
func (w *Worker) Close() {
	w.mu.Lock()
	w.closed = true
	_ = w.listener.Close() // it was open, or the worker is closed twice
	for c := range w.conns {
		_ = c.Close()
	}
	w.mu.Unlock()
	w.served.Wait()
}

func (w *Worker) accept() {
	for {
		c, err := w.listener.Accept()
		if err != nil {
			return
		}
		if w.keep(c) {
			w.served.Go(func() { w.serve(c) })
		}
	}
}

// keep says whether the worker still lives; if not, the connection dies with it.
func (w *Worker) keep(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		_ = c.Close()
		return false
	}
	w.conns[c] = true
	return true
}

func (w *Worker) serve(c net.Conn) {
	defer w.forget(c)
	from := bufio.NewReader(c)
	for {
		if _, err := readMessage(from, func([]byte) error { return nil }); err != nil {
			return
		}
		if _, err := c.Write(w.answer); err != nil {
			return
		}
	}
}

func (w *Worker) forget(c net.Conn) {
	_ = c.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
}
