package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"axon/xds/topology"
)

const (
	// maxAnswer bounds what is read of an answer, in bytes. Real ones have about a hundred.
	maxAnswer = 16 << 10
	// maxUserAgent keeps the header below what makes Synapse close the connection (16,000 bytes).
	maxUserAgent = 8 << 10
)

// errUnreachable: the process could not be asked, another may.
var errUnreachable = fmt.Errorf("%w: not reachable", ErrUnavailable)

// Whoami is a Resolver that asks Synapse: GET /_matrix/client/v3/account/whoami of any process with the client
// resource, in turn, and of main when none of the workers can be reached. It is safe for concurrent use.
type Whoami struct {
	choices atomic.Pointer[choices]
	turn    atomic.Uint32
	setting sync.Mutex

	calls
}

// NewWhoami registers its metrics with reg, which may be nil. Before SetTargets it answers ErrUnavailable.
func NewWhoami(reg prometheus.Registerer) *Whoami {
	w := &Whoami{calls: newCalls(reg, "whoami", "Synapse's whoami")}
	w.choices.Store(&choices{})
	return w
}

// Targets gives the addresses to ask in a topology: the workers that serve clients, and main as the fallback.
func Targets(t *topology.Topology) (workers, fallback []topology.Address) {
	for _, worker := range t.Workers {
		if l, ok := worker.Listener(topology.Client); ok {
			workers = append(workers, l.Address)
		}
	}
	if t.Main != nil {
		if l, ok := t.Main.Listener(topology.Client); ok {
			fallback = append(fallback, l.Address)
		}
	}
	return workers, fallback
}

// SetTargets replaces the processes to ask; calls under way end where they are.
func (w *Whoami) SetTargets(workers, fallback []topology.Address) {
	w.setting.Lock()
	defer w.setting.Unlock()
	before := *w.choices.Load()
	after := before.with(workers, fallback)
	w.choices.Store(&after)
	for _, c := range before {
		c.transport.CloseIdleConnections() // of those that stay too: rare, and cheaper than telling them apart
	}
}

// Close gives up the kept connections.
func (w *Whoami) Close() { w.SetTargets(nil, nil) }

// Resolve asks one process after the other until one can be reached.
func (w *Whoami) Resolve(ctx context.Context, r Request) (Identity, error) {
	if !validToken(r.Token) {
		return Identity{}, fmt.Errorf("whoami: %w", ErrNoToken)
	}
	if len(r.UserID) > maxUserID {
		return Identity{}, fmt.Errorf("whoami: %w", ErrForbidden)
	}
	err := fmt.Errorf("%w: no process serves it", ErrUnavailable)
	for _, c := range w.choices.Load().order(w.turn.Add(1)) {
		var id Identity
		if id, err = w.timed(func() (Identity, error) { return c.ask(ctx, r) }); err == nil {
			return id, nil
		}
		err = fmt.Errorf("%s: %w", c.address, err)
		if !errors.Is(err, errUnreachable) {
			break
		}
	}
	return Identity{}, fmt.Errorf("whoami: %w", err)
}

// ask makes one call. A transport is used without http.Client: no redirects, no cookies, and errors without the URL.
func (t *target) ask(ctx context.Context, r Request) (Identity, error) {
	req, err := newRequest(ctx, t.url, r)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	res, err := t.transport.RoundTrip(req)
	if err != nil {
		t.failed(ctx)
		if ctx.Err() != nil {
			return Identity{}, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		}
		return Identity{}, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer res.Body.Close() //nolint:errcheck // nothing was written
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		t.failed(ctx)
		return Identity{}, fmt.Errorf("%w: read the answer: %w", ErrUnavailable, err)
	}
	return parse(res.StatusCode, body)
}

// newRequest passes on where the client is, or else every user would appear to live where Axon does.
func newRequest(ctx context.Context, address string, r Request) (*http.Request, error) {
	if r.UserID != "" {
		address += "?user_id=" + url.QueryEscape(r.UserID)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	req.Header.Set("User-Agent", "") // or else Go adds its own
	if agent := r.UserAgent[:min(len(r.UserAgent), maxUserAgent)]; validUserAgent(agent) {
		req.Header.Set("User-Agent", agent)
	}
	if ip, err := netip.ParseAddr(r.ForwardedFor); err == nil {
		req.Header.Set("X-Forwarded-For", ip.Unmap().WithZone("").String())
	}
	return req, nil
}

// validUserAgent says whether net/http would send it; a refusal would look like an unreachable process.
func validUserAgent(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
