// Package server is what answers at run time: Envoy (Authz) and the operator (Admin).
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"google.golang.org/genproto/googleapis/rpc/status"

	"axon/affinity"
	"axon/server/identity"
)

// Authz is Envoy's ext_authz service. It adds to a request whose token it is, as affinity.UserHeader and
// affinity.KeyHeader. It never denies and never fails: a request of which it knows nothing goes on without the two.
type Authz struct {
	authv3.UnimplementedAuthorizationServer
	resolver identity.Resolver
	groups   atomic.Pointer[Appservices]
	log      *slog.Logger
	failures failureLog
	checks   map[string]prometheus.Counter
	duration prometheus.Histogram
}

// NewAuthz registers its metrics with reg, which may be nil.
func NewAuthz(resolver identity.Resolver, reg prometheus.Registerer, log *slog.Logger) *Authz {
	checks := promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "axon_checks_total", Help: "Requests that Envoy asked about, by outcome.",
	}, []string{"outcome"})
	a := &Authz{
		resolver: resolver,
		log:      log,
		failures: failureLog{log: log, every: 10 * time.Second},
		checks:   map[string]prometheus.Counter{"panic": checks.WithLabelValues("panic")},
		duration: promauto.With(reg).NewHistogram(prometheus.HistogramOpts{
			Name: "axon_check_duration_seconds", Help: "How long Envoy's requests took here.",
			Buckets: []float64{10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, .1, .25, .5, 1},
		}),
	}
	for _, o := range outcomes {
		a.checks[o.name] = checks.WithLabelValues(o.name)
	}
	return a
}

// Check answers OK, whatever happens.
func (a *Authz) Check(ctx context.Context, r *authv3.CheckRequest) (response *authv3.CheckResponse, _ error) {
	start := time.Now()
	outcome := "panic"
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("a fault in Axon: a request was let through without its user", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			response = anonymous
		}
		a.checks[outcome].Inc()
		a.duration.Observe(time.Since(start).Seconds())
	}()
	asked := requestOf(r)
	id, err := a.resolve(ctx, asked)
	if errors.Is(err, identity.ErrUnavailable) {
		a.failures.note(err)
	}
	response = answer(id, a.groupOf(asked.Token))
	outcome = outcomeOf(err)
	return response, nil
}

func (a *Authz) resolve(ctx context.Context, r identity.Request) (identity.Identity, error) {
	if r.Token == "" {
		return identity.Identity{}, identity.ErrNoToken
	}
	return a.resolver.Resolve(ctx, r)
}

// requestOf is what Envoy's question says of the token and its bearer.
func requestOf(r *authv3.CheckRequest) identity.Request {
	http := r.GetAttributes().GetRequest().GetHttp()
	authorization, present := http.GetHeaders()["authorization"]
	token, userID := identity.FromRequest(identity.Header{Value: authorization, Present: present}, http.GetPath())
	return identity.Request{
		Token:        token,
		UserID:       userID,
		ForwardedFor: client(r.GetAttributes()),
		UserAgent:    http.GetHeaders()["user-agent"],
	}
}

// client is the client's address as Envoy trusts it: the last element of X-Forwarded-For, which Envoy overwrote or
// appended to, or else the connection's.
func client(a *authv3.AttributeContext) string {
	forwarded := a.GetRequest().GetHttp().GetHeaders()["x-forwarded-for"]
	if last := strings.TrimSpace(forwarded[strings.LastIndexByte(forwarded, ',')+1:]); last != "" {
		return last
	}
	return a.GetSource().GetAddress().GetSocketAddress().GetAddress()
}

// ours are the headers that only Axon may set; their twins with underscores are what some servers take for the same, and
// never ours.
var (
	ours  = []string{affinity.UserHeader, affinity.KeyHeader, affinity.GroupHeader}
	twins = []string{twin(affinity.UserHeader), twin(affinity.KeyHeader), twin(affinity.GroupHeader)}
)

func twin(header string) string { return strings.ReplaceAll(header, "-", "_") }

// What is taken away of a client's own copies, for proxies that do not do so by themselves.
var (
	withoutGroup = append([]string{affinity.GroupHeader}, twins...)
	withoutUser  = append([]string{affinity.UserHeader, affinity.KeyHeader}, twins...)
	anonymous    = ok(nil, slices.Concat(ours, twins))
)

// answer sets what is known of whose request it is: the user, the group of the appservice, or both.
func answer(id identity.Identity, group string) *authv3.CheckResponse {
	key := affinity.UserKey(id.UserID)
	switch {
	case key == "" && group == "":
		return anonymous
	case key == "":
		return ok([]*corev3.HeaderValueOption{set(affinity.GroupHeader, group)}, withoutUser)
	}
	user := []*corev3.HeaderValueOption{set(affinity.UserHeader, id.UserID), set(affinity.KeyHeader, key)}
	if group == "" {
		return ok(user, withoutGroup)
	}
	return ok(append(user, set(affinity.GroupHeader, group)), twins)
}

func ok(set []*corev3.HeaderValueOption, remove []string) *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status:       &status.Status{},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{Headers: set, HeadersToRemove: remove}},
	}
}

// set overwrites a header. Envoy 1.40 adds nothing when append is true, and an empty header when only raw_value is set.
func set(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}
