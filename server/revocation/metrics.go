package revocation

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// kindNames are the label of axon_revocation_events_total.
var kindNames = map[kind]string{other: "other", position: "other", token: "token", user: "user", everyone: "everyone"}

// reasons are the label of axon_revocation_flushes_total.
var reasons = []string{"connected", "settled", "gap", "synapse"}

type metrics struct {
	connected prometheus.Gauge
	events    *prometheus.CounterVec
	flushes   *prometheus.CounterVec
	lag       prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		connected: register(reg, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "axon_revocation_connected", Help: "1 while Axon hears on Synapse's Redis of tokens that end, else 0.",
		})),
		events: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "axon_revocation_events_total",
			Help: "Lines of Synapse's replication by what they end: a token, a user's tokens, everyone's, or nothing (other); " +
				"malformed ones were ignored.",
		}, []string{"kind"})),
		flushes: register(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "axon_revocation_flushes_total",
			Help: "How often all identities were forgotten: after connecting, when Synapse had time to reconnect too (settled), " +
				"after a gap, and because Synapse said so.",
		}, []string{"reason"})),
		lag: register(reg, prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "axon_revocation_lag_seconds", Help: "From the end of a token in Synapse, by its clock, until Axon forgot it.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60},
		})),
	}
	for _, name := range []string{"other", "token", "user", "everyone", "malformed"} {
		m.events.WithLabelValues(name)
	}
	for _, name := range reasons {
		m.flushes.WithLabelValues(name)
	}
	return m
}

// register gives the collector that reg has already, if it has: a changed configuration starts Follow again.
func register[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	if reg == nil {
		return c
	}
	var known prometheus.AlreadyRegisteredError
	switch err := reg.Register(c); {
	case errors.As(err, &known):
		return known.ExistingCollector.(C)
	case err != nil:
		panic(err) // two metrics of one name: a fault of Axon, as in promauto
	}
	return c
}
