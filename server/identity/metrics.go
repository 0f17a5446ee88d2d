package identity

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// counts are the cache's own numbers, read by its metrics and by Stats.
type counts struct{ hits, misses, negativeHits, dropped, panics atomic.Uint64 }

// answer counts a remembered answer and gives it.
func (c *counts) answer(e entry) (Identity, error) {
	id, err := e.answer()
	if err != nil {
		c.negativeHits.Add(1)
	} else {
		c.hits.Add(1)
	}
	return id, err
}

// Stats are a Cache's numbers since it was made. Entries and Bytes are those of both stores; Bytes is the memory that
// they hold, used or not.
type Stats struct {
	Entries, Bytes, InFlight                    int
	Hits, NegativeHits, Misses, Dropped, Panics uint64
}

// Stats gives the numbers of now.
func (c *Cache) Stats() Stats {
	return Stats{
		Entries:      c.positive.Len() + c.negative.Len(),
		Bytes:        c.positive.Capacity() + c.negative.Capacity(),
		InFlight:     len(c.slots),
		Hits:         c.counts.hits.Load(),
		NegativeHits: c.counts.negativeHits.Load(),
		Misses:       c.counts.misses.Load(),
		Dropped:      c.counts.dropped.Load(),
		Panics:       c.counts.panics.Load(),
	}
}

func (c *Cache) register(reg prometheus.Registerer) {
	counter := func(name, help string, v *atomic.Uint64) {
		promauto.With(reg).NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(v.Load()) })
	}
	gauge := func(name, help string, labels prometheus.Labels, v func() int) {
		opts := prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}
		promauto.With(reg).NewGaugeFunc(opts, func() float64 { return float64(v()) })
	}
	counter("axon_identity_cache_hits_total", "Tokens whose user was remembered.", &c.counts.hits)
	counter("axon_identity_cache_negative_hits_total", "Tokens that were remembered as unknown.", &c.counts.negativeHits)
	counter("axon_identity_cache_misses_total", "Tokens that were not remembered.", &c.counts.misses)
	counter("axon_identity_lookups_dropped_total", "Lookups not begun because of identity.max_in_flight.", &c.counts.dropped)
	counter("axon_identity_lookup_panics_total", "Lookups that ended in a contained panic: faults of Axon.", &c.counts.panics)
	for kind, s := range map[string]store{"positive": c.positive, "negative": c.negative} {
		labels := prometheus.Labels{"kind": kind}
		gauge("axon_identity_cache_entries", "Remembered tokens: those with a user (positive) and unknown ones (negative).", labels, s.Len)
		gauge("axon_identity_cache_bytes", "Memory that the cache holds, used or not.", labels, s.Capacity)
	}
	gauge("axon_identity_lookups_in_flight", "Lookups under way.", nil, func() int { return len(c.slots) })
}
