package ring

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"axon/affinity"
)

// kind is a kind of requests that belong together by a key.
type kind struct {
	cluster string
	n       int
	request func(ctx context.Context, i int) (*http.Request, error)
	key     func(r *http.Request) string
}

var kinds = map[string]kind{
	"users by native tokens":  {"sync", 5000, userRequest("/_matrix/client/v3/sync?since=s1"), bearerKey},
	"rooms":                   {"event_creator", 500, roomRequest("PUT", "send/m.room.message/t1"), pathKey},
	"rooms of strict writers": {"receipts", 300, roomRequest("POST", "receipt/m.read/%24e"), pathKey},
	"users by other tokens":   {"sync", 300, queryRequest, tokenKey},
	"remote servers":          {"federation_inbound", 300, originRequest, func(r *http.Request) string { return affinity.OriginKey(r.Header.Get("Authorization")) }},
	"clients by address":      {"sync", 300, sourceRequest, sourceKey},
	"uneven workers":          {"uneven", 1000, userRequest("/_matrix/client/v3/events"), bearerKey},
}

func userRequest(path string) func(context.Context, int) (*http.Request, error) {
	return func(ctx context.Context, i int) (*http.Request, error) {
		localpart := base64.RawStdEncoding.EncodeToString(fmt.Appendf(nil, "user-%d", i))
		return request(ctx, "GET", path, "Authorization", "Bearer syt_"+localpart+"_AbCdEfGhIjKlMnOpQrSt_0a1B2c")
	}
}

func roomRequest(method, action string) func(context.Context, int) (*http.Request, error) {
	return func(ctx context.Context, i int) (*http.Request, error) {
		return request(ctx, method, fmt.Sprintf("/_matrix/client/v3/rooms/%%21room%d%%3Aexample.org/%s", i, action), "", "")
	}
}

// queryRequest has a token with an escaped byte, which Envoy does not decode.
func queryRequest(ctx context.Context, i int) (*http.Request, error) {
	return request(ctx, "GET", fmt.Sprintf("/_matrix/client/v3/sync?since=s1&access_token=opaque%%7E%d", i), "", "")
}

func originRequest(ctx context.Context, i int) (*http.Request, error) {
	credentials := fmt.Sprintf(`X-Matrix origin="hs%d.example.org",destination="example.org",key="ed25519:a",sig="x"`, i)
	return request(ctx, "PUT", "/_matrix/federation/v1/send/1", "Authorization", credentials)
}

// sourceRequest comes from an IPv4 or IPv6 address, the latter written at full length.
func sourceRequest(ctx context.Context, i int) (*http.Request, error) {
	source := netip.AddrFrom4([4]byte{198, 51, byte(i / 250), byte(i % 250)})
	if i%2 == 1 {
		source = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(i), 14: byte(i / 256)})
	}
	return request(ctx, "GET", "/_matrix/client/v3/sync?since=s1", "X-Forwarded-For", source.StringExpanded())
}

func request(ctx context.Context, method, path, header, value string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, path, nil)
	if err == nil && header != "" {
		r.Header.Set(header, value)
	}
	return r, err
}

func bearerKey(r *http.Request) string { return affinity.BearerKey(r.Header.Get("Authorization")) }
func pathKey(r *http.Request) string   { return affinity.RoomKey(r.URL.RequestURI()) }

func tokenKey(r *http.Request) string {
	_, token, _ := strings.Cut(r.URL.RawQuery, "access_token=")
	return token
}

func sourceKey(r *http.Request) string {
	return netip.MustParseAddr(r.Header.Get("X-Forwarded-For")).String()
}

// compare sends the requests of a kind over a few connections and asks of each who answered it.
func (k kind) compare(t *testing.T, f *front, p Picker) {
	t.Helper()
	results := make([]error, k.n)
	var group sync.WaitGroup
	for first := range connections {
		group.Go(func() {
			for i := first; i < k.n; i += connections {
				results[i] = k.check(t.Context(), f, p, i)
			}
		})
	}
	group.Wait()
	different := slices.DeleteFunc(results, func(err error) bool { return err == nil })
	if len(different) > 0 {
		t.Errorf("%d of %d differ, for example:\n%v", len(different), k.n, errors.Join(different[:min(10, len(different))]...))
	}
}

func (k kind) check(ctx context.Context, f *front, p Picker, i int) error {
	r, err := k.request(ctx, i)
	if err != nil {
		return err
	}
	key := k.key(r)
	r.URL.Scheme, r.URL.Host = "http", f.address
	got, err := f.worker(r)
	if want := p.Pick(Hash(key)); err == nil && got != want {
		return fmt.Errorf("key %q: Envoy picks %q, we %q", key, got, want)
	}
	return err
}
