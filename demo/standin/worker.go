package standin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Worker is a running stand-in.
type Worker struct {
	config   Config
	listener net.Listener
	server   *http.Server
	unwatch  func() bool

	hang, fail atomic.Bool
	events     atomic.Int64 // makes next_batch, event_id and the like unique

	mu     sync.Mutex
	counts map[Count]int
}

// Count is what requests are counted by. User is the full user ID of the request's token, empty where there is none.
type Count struct {
	User string
	Kind Kind
}

// Start listens and serves until ctx ends or Close is called, whichever comes first.
func Start(ctx context.Context, c Config) (*Worker, error) {
	c.Network = cmp.Or(c.Network, "tcp")
	if c.Network == "tcp" {
		c.Address = cmp.Or(c.Address, "127.0.0.1:0")
	}
	c.LongPoll = cmp.Or(c.LongPoll, 2*time.Second)
	l, err := new(net.ListenConfig).Listen(ctx, c.Network, c.Address)
	if err != nil {
		return nil, fmt.Errorf("stand-in %q: %w", c.Name, err)
	}
	w := &Worker{config: c, listener: l, counts: map[Count]int{}}
	w.server = &http.Server{Handler: w, ReadHeaderTimeout: 10 * time.Second}
	w.unwatch = context.AfterFunc(ctx, func() { _ = w.server.Close() })
	go func() { _ = w.server.Serve(l) }() // always ends with ErrServerClosed
	return w, nil
}

// Close stops listening and cuts every connection, as a killed process does.
func (w *Worker) Close() error {
	w.unwatch()
	// Where Serve has not yet taken the listener over, the server does not know that it has to close it.
	if err := w.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("stand-in %q: %w", w.config.Name, err)
	}
	if err := w.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("stand-in %q: %w", w.config.Name, err)
	}
	return nil
}

// Name is the worker's name.
func (w *Worker) Name() string { return w.config.Name }

// Address gives "host:port", or the path of the unix socket.
func (w *Worker) Address() string { return w.listener.Addr().String() }

// Port is 0 on a unix socket.
func (w *Worker) Port() int {
	if a, ok := w.listener.Addr().(*net.TCPAddr); ok {
		return a.Port
	}
	return 0
}

// Hang makes whoami take a request and not answer it.
func (w *Worker) Hang(on bool) { w.hang.Store(on) }

// Fail makes whoami answer 500.
func (w *Worker) Fail(on bool) { w.fail.Store(on) }

// Counts gives how many requests of each user and kind have arrived, refused ones included.
func (w *Worker) Counts() map[Count]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.counts)
}

// Served is how many requests of a kind have arrived, of whomever.
func (w *Worker) Served(k Kind) int {
	n := 0
	for c, times := range w.Counts() {
		if c.Kind == k {
			n += times
		}
	}
	return n
}

func (w *Worker) count(user string, k Kind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[Count{User: user, Kind: k}]++
}
