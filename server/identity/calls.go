package identity

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// calls counts and times the calls of a service.
type calls struct {
	requests *prometheus.CounterVec
	duration prometheus.Histogram
}

// newCalls names the metrics after the service: axon_whoami_requests_total.
func newCalls(reg prometheus.Registerer, service, text string) calls {
	c := calls{
		requests: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: "axon_" + service + "_requests_total", Help: "Calls of " + text + " by outcome.",
		}, []string{"outcome"}),
		duration: promauto.With(reg).NewHistogram(prometheus.HistogramOpts{
			Name: "axon_" + service + "_duration_seconds", Help: "How long " + text + " took.",
			Buckets: []float64{100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, .1, .25, .5, 1, 2.5},
		}),
	}
	for _, o := range outcomes {
		c.requests.WithLabelValues(o.name)
	}
	return c
}

func (c calls) timed(call func() (Identity, error)) (Identity, error) {
	start := time.Now()
	id, err := call()
	c.duration.Observe(time.Since(start).Seconds())
	c.requests.WithLabelValues(outcomeOf(err)).Inc()
	return id, err
}
