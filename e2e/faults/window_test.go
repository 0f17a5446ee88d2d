package faults

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// window is the time of one fault: from the end of the one before until all are back where they were. It knows what the fault
// excuses.
type window struct {
	fault    fault
	from, to time.Time

	movers map[string]bool   // workers whose users may be elsewhere
	guests map[string]bool   // workers that may have anybody's users
	blind  bool              // Axon can't say whose opaque tokens are
	killed []death           // processes that had requests in hand
	gone   map[string][]span // when a process was not there that nobody can stand in for
	closed []span            // when Envoy was not there
	note   string            // what else is to be said
	usage  usage             // at the end
	faults []string          // what else went wrong
}

// death is the end of a process.
type death struct {
	life string
	at   time.Time // when it was certainly dead
}

// span is a time; an open one has no end yet.
type span struct{ from, to time.Time }

// touches says whether a request was under way in it.
func (s span) touches(r *record) bool {
	return r.ended.After(s.from) && (s.to.IsZero() || r.began.Before(s.to))
}

func touched(spans []span, r *record) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return s.touches(r) })
}

// counts are the figures of a window.
type counts struct {
	requests, polls                int
	readsLost, writesLost, doubled int // what may not be
	cut, moved, astray             int // polls, users and the like, and those not back afterwards
	own, refused, parted           int // what the fault excuses
	back                           time.Duration
	slowest                        time.Duration // answered request that is no poll
	examples                       []string
	movedSeats, partedSeats        map[string]bool
}

func (c *counts) example(what string, r *record, l *ledger) {
	if len(c.examples) < 12 {
		c.examples = append(c.examples, fmt.Sprintf("%s: %s; %v", what, r, l.did[r.id]))
	}
}

// count looks at every request of the window.
func (w *window) count(s *site, records []record) *counts {
	c := &counts{movedSeats: map[string]bool{}, partedSeats: map[string]bool{}}
	for i := range records {
		r := &records[i]
		c.requests++
		w.answered(s, c, r)
		w.placed(s, c, r)
	}
	c.moved, c.parted = len(c.movedSeats), len(c.partedSeats)
	return c
}

func (w *window) answered(s *site, c *counts, r *record) {
	executed := s.ledger.executions(r.id)
	if r.kind.write && executed > 1 {
		c.doubled++
		c.example("doubled", r, s.ledger)
	}
	if r.kind == &poll {
		c.polls++
	}
	switch {
	case r.ok() && r.kind.write && executed == 0:
		c.writesLost++
		c.example("answered but not done", r, s.ledger)
	case r.ok():
		if r.kind != &poll {
			c.slowest = max(c.slowest, r.ended.Sub(r.began))
		}
	case touched(w.closed, r), w.inHand(s.ledger, r):
		c.own++
	case touched(w.gone[r.kind.strict], r):
		c.refused++
	case r.kind == &poll:
		c.cut++
		c.example("poll cut", r, s.ledger)
	case r.kind.write:
		c.writesLost++
		c.example("write lost", r, s.ledger)
	default:
		c.readsLost++
		c.example("read lost", r, s.ledger)
	}
}

// inHand says whether a process that was killed had a write in hand at that moment. One that stands in no journal may have
// been in its socket. Reads have no such excuse.
func (w *window) inHand(l *ledger, r *record) bool {
	if !r.kind.write {
		return false
	}
	lives := l.arrivedAt(r.id)
	return slices.ContainsFunc(w.killed, func(d death) bool {
		return r.began.Before(d.at) && r.ended.After(d.at.Add(-time.Second)) && (len(lives) == 0 || slices.Contains(lives, d.life))
	})
}

// placed looks at where a request was answered.
func (w *window) placed(s *site, c *counts, r *record) {
	home := s.homes[r.seat()]
	if !r.ok() || home == "" || r.worker == home || w.movers[home] || w.guests[r.worker] {
		return
	}
	if r.kind.personal && (w.blind && opaque(r.about.token) || r.about.fresh) {
		c.partedSeats[r.seat()] = true
		return
	}
	c.movedSeats[r.seat()] = true
	c.example("moved from "+home, r, s.ledger)
}

// verdict gives what may not be, "" if nothing is.
func (w *window) verdict(c *counts) string {
	var bad []string
	for _, f := range []struct {
		n    int
		what string
	}{
		{c.readsLost, "reads lost"},
		{c.writesLost, "writes lost"},
		{c.doubled, "writes doubled"},
		{c.cut, "polls cut"},
		{c.moved, "moved"},
		{c.astray, "not back"},
	} {
		if f.n > 0 {
			bad = append(bad, fmt.Sprintf("%d %s", f.n, f.what))
		}
	}
	return strings.Join(append(bad, w.faults...), ", ")
}
