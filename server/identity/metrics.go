package identity

import (
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// counts are the cache's own numbers, read by its metrics and by Stats.
type counts struct {
	hits, misses, negativeHits, dropped, panics atomic.Uint64
	hints, learned                              atomic.Uint64
	forgotten, forgottenUsers, flushes          atomic.Uint64
}

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
	// Hints are unverified answers, Learned the tokens that took no lookup.
	Hints, Learned uint64
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
		Hints:        c.counts.hints.Load(),
		Learned:      c.counts.learned.Load(),
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
	counter("axon_identity_hints_total", "Answers that the token itself gave, unverified.", &c.counts.hints)
	counter("axon_identity_learned_total", "Tokens learned without a lookup, from answers to logins.", &c.counts.learned)
	for what, v := range map[string]*atomic.Uint64{"token": &c.counts.forgotten, "user": &c.counts.forgottenUsers, "all": &c.counts.flushes} {
		promauto.With(reg).NewCounterFunc(prometheus.CounterOpts{
			Name: "axon_identity_forgotten_total", Help: "Endings that the cache was told of: of a token, of all of a user's, of all.",
			ConstLabels: prometheus.Labels{"what": what},
		}, func() float64 { return float64(v.Load()) })
	}
	for kind, s := range map[string]store{"positive": c.positive, "negative": c.negative} {
		labels := prometheus.Labels{"kind": kind}
		gauge("axon_identity_cache_entries", "Remembered tokens: those with a user (positive) and unknown ones (negative).", labels, s.Len)
		gauge("axon_identity_cache_bytes", "Memory that the cache holds, used or not.", labels, s.Capacity)
	}
	gauge("axon_identity_lookups_in_flight", "Lookups under way.", nil, func() int { return len(c.slots) })
}

// sharedCounts are the numbers of what several Axons share.
type sharedCounts struct {
	reads, writes *prometheus.CounterVec
	invalid       prometheus.Counter
}

// errBusyWriting: what was found was not shared.
var errBusyWriting = errors.New("too many writes under way")

func newSharedCounts(reg prometheus.Registerer) sharedCounts {
	vec := func(name, help string, outcomes ...string) *prometheus.CounterVec {
		v := promauto.With(reg).NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"outcome"})
		for _, o := range outcomes {
			v.WithLabelValues(o)
		}
		return v
	}
	return sharedCounts{
		reads: vec("axon_identity_shared_reads_total", "Questions to the shared Redis by outcome.", "hit", "miss", "error"),
		writes: vec("axon_identity_shared_writes_total", "Users and endings told to the shared Redis by outcome.",
			"stored", "ended", "dropped", "error"),
		invalid: promauto.With(reg).NewCounter(prometheus.CounterOpts{
			Name: "axon_identity_shared_invalid_total", Help: "Values in the shared Redis that no Axon with this secret can have put there.",
		}),
	}
}

func (c sharedCounts) read(found bool, err error) {
	switch {
	case err != nil:
		c.reads.WithLabelValues("error").Inc()
	case found:
		c.reads.WithLabelValues("hit").Inc()
	default:
		c.reads.WithLabelValues("miss").Inc()
	}
}

func (c sharedCounts) written(err error) { c.wrote("stored", err) }

func (c sharedCounts) ended(err error) { c.wrote("ended", err) }

func (c sharedCounts) wrote(outcome string, err error) {
	switch {
	case errors.Is(err, errBusyWriting):
		outcome = "dropped"
	case err != nil:
		outcome = "error"
	}
	c.writes.WithLabelValues(outcome).Inc()
}
