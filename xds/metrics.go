package xds

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are what is counted; the rest is read from the state when it is asked for.
type metrics struct {
	acks, nacks *prometheus.CounterVec
	rollbacks   prometheus.Counter
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		acks: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
			Name: "axon_xds_acks_total",
			Help: "Updates that an Envoy acknowledged, by type of resource.",
		}, []string{"type"}),
		nacks: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
			Name: "axon_xds_nacks_total",
			Help: "Updates that an Envoy refused, keeping what it had, by type of resource.",
		}, []string{"type"}),
		rollbacks: promauto.With(r).NewCounter(prometheus.CounterOpts{
			Name: "axon_xds_rollbacks_total",
			Help: "Snapshots that an Envoy refused, whereupon all were given the last accepted one again.",
		}),
	}
	for _, t := range Types {
		m.acks.WithLabelValues(string(t))
		m.nacks.WithLabelValues(string(t))
	}
	return m
}

var (
	connectedDesc = prometheus.NewDesc("axon_xds_envoys_connected",
		"Envoys that are connected to the control plane.", nil, nil)
	snapshotDesc = prometheus.NewDesc("axon_xds_snapshot_info",
		"The published snapshot: 1, with its version, a hash of the content.", []string{"version"}, nil)
	publishedDesc = prometheus.NewDesc("axon_xds_snapshot_published_timestamp_seconds",
		"When the snapshot was published, in Unix time.", nil, nil)
	acceptedDesc = prometheus.NewDesc("axon_xds_snapshot_accepted",
		"Whether Envoys have accepted the published snapshot.", nil, nil)
)

// collector reads the state, so that one scrape never sees two versions, or none in between.
type collector struct{ server *Server }

// Describe says what Collect gives.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	out <- connectedDesc
	out <- snapshotDesc
	out <- publishedDesc
	out <- acceptedDesc
}

// Collect gives no snapshot before the first Publish.
func (c collector) Collect(out chan<- prometheus.Metric) {
	state := c.server.State()
	out <- prometheus.MustNewConstMetric(connectedDesc, prometheus.GaugeValue, float64(len(state.Envoys)))
	if state.Version == "" {
		return
	}
	accepted := 0.0
	if state.Accepted == state.Version {
		accepted = 1
	}
	out <- prometheus.MustNewConstMetric(acceptedDesc, prometheus.GaugeValue, accepted)
	seconds := float64(state.PublishedAt.UnixMilli()) / 1000
	out <- prometheus.MustNewConstMetric(snapshotDesc, prometheus.GaugeValue, 1, state.Version)
	out <- prometheus.MustNewConstMetric(publishedDesc, prometheus.GaugeValue, seconds)
}
