// Package server is what answers at run time: Envoy (Authz) and the operator (Admin).
package server

import (
	"log/slog"
	"sync/atomic"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"axon/server/identity"
)

// Authz is Envoy's ext_authz service and its ext_proc service: one decision in two protocols. It adds to a request whose
// token it is (affinity.UserHeader, affinity.KeyHeader and what the policy names). Unless the policy enforces users it
// never denies and never fails: a request of which it knows nothing goes on without them.
type Authz struct {
	authv3.UnimplementedAuthorizationServer
	extprocv3.UnimplementedExternalProcessorServer
	resolver    identity.Resolver
	policy      identity.Policy
	needsUser   func(method, target string) bool
	telling     *telling
	anonymous   *authv3.CheckResponse
	learning    *learning
	appservices atomic.Pointer[Appservices]
	log         *slog.Logger
	failures    failureLog
	checks      map[string]prometheus.Counter
	refused     *prometheus.CounterVec
	duration    prometheus.Histogram
}

// Options are what an Authz takes from its surroundings.
type Options struct {
	Resolver identity.Resolver
	Policy   identity.Policy
	// NeedsUser says, where the policy enforces users, which requests need one (plan.NeedsUser).
	NeedsUser func(method, target string) bool
	// Learner is given the tokens that pass through in answers to logins; nil for none. Whoever can reach the server can
	// then say whose a token is.
	Learner    Learner
	Registerer prometheus.Registerer // may be nil
	Log        *slog.Logger
}

// NewAuthz registers its metrics.
func NewAuthz(o Options) *Authz {
	metrics := promauto.With(o.Registerer)
	checks := metrics.NewCounterVec(prometheus.CounterOpts{
		Name: "axon_checks_total", Help: "Requests that Envoy asked about, by outcome.",
	}, []string{"outcome"})
	a := &Authz{
		resolver:  o.Resolver,
		policy:    o.Policy,
		needsUser: o.NeedsUser,
		telling:   newTelling(o.Policy.Headers),
		learning:  newLearning(o),
		log:       o.Log,
		failures:  failureLog{log: o.Log, every: 10 * time.Second, enforce: o.Policy.Enforce && !o.Policy.FailOpen},
		checks:    map[string]prometheus.Counter{"panic": checks.WithLabelValues("panic")},
		refused: metrics.NewCounterVec(prometheus.CounterOpts{
			Name: "axon_requests_refused_total", Help: "Requests that identity.enforce refused, by Matrix error code.",
		}, []string{"errcode"}),
		duration: metrics.NewHistogram(prometheus.HistogramOpts{
			Name: "axon_check_duration_seconds", Help: "How long Envoy's requests took here.",
			Buckets: []float64{10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, .1, .25, .5, 1},
		}),
	}
	a.anonymous = allowed(a.telling.tell(identity.Identity{}, Appservice{}))
	for _, o := range outcomes {
		a.checks[o.name] = checks.WithLabelValues(o.name)
	}
	return a
}
