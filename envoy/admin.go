package envoy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	"google.golang.org/protobuf/encoding/protojson"
)

// maxAnswer bounds what is read of one answer: /clusters has some 2 KB for each worker of each cluster.
const maxAnswer = 32 << 20

// Admin is a client of Envoy's admin interface. Each call takes as long as its context allows.
type Admin struct {
	address string
	client  *http.Client
}

// NewAdmin makes a client for the admin interface at addr, "host:port" or "unix:/path". It does not connect yet.
func NewAdmin(addr string) (*Admin, error) {
	a, err := parseAddress(addr)
	if err != nil {
		return nil, fmt.Errorf("envoy admin %w", err)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, a.network, a.dial())
	}
	// No connection is kept: the Envoy behind the address may be another one at the next call.
	return &Admin{address: addr, client: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}, nil
}

// Ready is nil when Envoy serves: it runs, has its first listeners and clusters, and is not draining.
func (a *Admin) Ready(ctx context.Context) error {
	_, err := a.call(ctx, http.MethodGet, "/ready")
	return err
}

// ServerInfo is Envoy's version, state, uptime, options and node.
func (a *Admin) ServerInfo(ctx context.Context) (*adminv3.ServerInfo, error) {
	body, err := a.call(ctx, http.MethodGet, "/server_info")
	if err != nil {
		return nil, err
	}
	info := &adminv3.ServerInfo{}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, info); err != nil {
		return nil, fmt.Errorf("envoy admin %s: /server_info: %w", a.address, err)
	}
	return info, nil
}

// Stats gives the counters and gauges whose names the regular expression finds; an empty one finds all.
func (a *Admin) Stats(ctx context.Context, filter string) (map[string]uint64, error) {
	body, err := a.call(ctx, http.MethodGet, "/stats?format=json&filter="+url.QueryEscape(filter))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Stats []struct {
			Name  string          `json:"name"` // empty: histograms
			Value json.RawMessage `json:"value"`
		} `json:"stats"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("envoy admin %s: /stats: %w", a.address, err)
	}
	stats := map[string]uint64{}
	for _, s := range answer.Stats {
		if n, err := strconv.ParseUint(string(s.Value), 10, 64); err == nil { // else a text
			stats[s.Name] = n
		}
	}
	return stats, nil
}

// InFlight counts the requests that clients wait for, on all listeners but admin's own.
func (a *Admin) InFlight(ctx context.Context) (int, error) {
	stats, err := a.Stats(ctx, `^http\..*\.downstream_rq_active$`)
	if err != nil {
		return 0, err
	}
	total := 0
	for name, n := range stats {
		if !strings.HasPrefix(name, "http.admin.") {
			total += int(n)
		}
	}
	return total, nil
}

// DrainListeners makes Envoy close its listening sockets, so that new connections are refused, and say "connection: close" in
// every answer on the connections it has. It cuts nothing and does not wait; there is no way back.
//
// What closes the connections is the failed health check. /drain_listeners?graceful would say "close" only to a share
// of the answers that grows over --drain-time-s: seen at 600 s, to none of twenty.
func (a *Admin) DrainListeners(ctx context.Context) error {
	for _, path := range []string{"/healthcheck/fail", "/drain_listeners"} {
		if _, err := a.call(ctx, http.MethodPost, path); err != nil {
			return err
		}
	}
	return nil
}

func (a *Admin) call(ctx context.Context, method, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://envoy"+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := a.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("envoy admin %s: %w", a.address, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	if err != nil {
		return nil, fmt.Errorf("envoy admin %s: %s: %w", a.address, path, err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("envoy admin %s: %s: %s: %s", a.address, path, res.Status, firstLine(string(body)))
	}
	return body, nil
}
