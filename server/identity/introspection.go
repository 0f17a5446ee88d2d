package identity

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// introspection is a Resolver that asks the Matrix Authentication Service, as Synapse does: POST
// {endpoint}/oauth2/introspect (synapse/api/auth/mas.py; the exchange was taken down from the real ones). To be asked is
// to be used for a token: the service notes the time and the session's activity.
type introspection struct {
	calls
	source    masSource
	home      *home
	transport *http.Transport
	known     atomic.Pointer[mas]
}

// newIntrospection fails where the files do not say whom to ask and by which secret.
func newIntrospection(source masSource, home *home, reg prometheus.Registerer) (*introspection, error) {
	i := &introspection{
		calls:  newCalls(reg, "introspection", "the Matrix Authentication Service's introspection"),
		source: source,
		home:   home,
		transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
			MaxIdleConnsPerHost:    maxIdle,
			IdleConnTimeout:        idleTimeout,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 16 << 10,
		},
	}
	_, err := i.service()
	return i, err
}

// service is remembered until a call fails: the secret may have changed.
func (i *introspection) service() (*mas, error) {
	if known := i.known.Load(); known != nil {
		return known, nil
	}
	found, err := i.source.read()
	if err != nil {
		return nil, err
	}
	i.known.Store(&found)
	return &found, nil
}

// Resolve asks once. What the service does not know may be an application service's token, which only Synapse knows.
func (i *introspection) Resolve(ctx context.Context, r Request) (Identity, error) {
	if !validToken(r.Token) {
		return Identity{}, fmt.Errorf("introspection: %w", ErrNoToken)
	}
	id, err := i.timed(func() (Identity, error) { return i.ask(ctx, r.Token) })
	switch {
	case err == nil:
		return id, nil
	case !delegated(r.Token):
		return Identity{}, fmt.Errorf("introspection: %w: %w", err, errElsewhere)
	}
	return Identity{}, fmt.Errorf("introspection: %w", err)
}

// ask makes one call. A transport is used without http.Client: no redirects, and errors without the URL.
func (i *introspection) ask(ctx context.Context, token string) (Identity, error) {
	service, err := i.service()
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	req, err := service.request(ctx, token)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: cannot be asked", ErrUnavailable)
	}
	res, err := i.transport.RoundTrip(req)
	if err != nil {
		i.known.Store(nil)
		if ctx.Err() != nil {
			return Identity{}, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		}
		return Identity{}, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer res.Body.Close() //nolint:errcheck // nothing was written
	if res.StatusCode != http.StatusOK {
		i.known.Store(nil)
		return Identity{}, statusFault(res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return Identity{}, fmt.Errorf("%w: read the answer: %w", ErrUnavailable, err)
	}
	return i.home.introspected(body)
}

// request is Synapse's, byte for byte, but for the name of who asks.
func (m *mas) request(ctx context.Context, token string) (*http.Request, error) {
	form := "token=" + url.QueryEscape(token) + "&token_type_hint=access_token"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.endpoint+"/oauth2/introspect", strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-MAS-Supports-Device-Id", "1")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+m.secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "Axon")
	return req, nil
}

// close gives up the kept connections.
func (i *introspection) close() { i.transport.CloseIdleConnections() }
