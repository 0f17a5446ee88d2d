package revocation

import "slices"

// positions find out whether lines were lost between a process of Synapse and Redis, which the process does not know.
//
// All processes number their rows from one sequence of the database. Where its rows stand a process announces as POSITION
// n n, when it connects to Redis and whenever another does. From being behind n it does not follow that something was
// lost: the numbers in between may be other processes' rows. Only a number that nobody accounted for is a gap.
//
// A transaction that was rolled back leaves such a number, too, so that a flush may follow the start of a worker on a busy
// homeserver although nothing was lost.
type positions struct {
	last  map[string]int64 // the latest number that each process said
	heard spans            // the numbers that were accounted for
	// begun is set by the first row, which is where the sequence stands; a position may be an old one. What was before was
	// before the flush that goes with a connection.
	begun bool
}

func newPositions() *positions { return &positions{last: map[string]int64{}} }

// note takes in a line about caches, and says whether it shows that earlier ones were lost.
func (p *positions) note(l line) (gap bool) {
	if !p.begun {
		p.heard.add(1, l.to)
		p.begun = l.kind != position && l.to > 0
	}
	before := p.last[l.instance]
	switch {
	case l.kind != position && l.to == 0: // the last row of the batch will say
		return false
	case l.kind != position:
		p.heard.add(l.to, l.to)
	case l.from < l.to: // numbers that the process took and did not use
		p.heard.add(l.from+1, l.to)
	case !p.heard.cover(before+1, l.to):
		gap = true
		p.heard.add(before+1, l.to) // what was lost before a flush no longer matters
	}
	p.last[l.instance] = max(before, l.to)
	return gap
}

// maxSpans bounds the numbers that are waited for. The oldest ones are given up: a process whose line was lost announces
// itself within seconds, so that they were rolled back.
const maxSpans = 256

// span is a range of numbers, both ends included.
type span struct{ first, last int64 }

// spans are sorted, and neither overlap nor touch.
type spans []span

// add puts a range in; an empty one (last before first) is nothing.
func (s *spans) add(first, last int64) {
	if last < first {
		return
	}
	touches := func(a span, b int64) int { // how a lies to a range that begins at b
		if a.last+1 < b {
			return -1
		}
		return 1
	}
	from, _ := slices.BinarySearchFunc(*s, first, touches)
	to := from
	for ; to < len(*s) && (*s)[to].first <= last+1; to++ {
		first, last = min(first, (*s)[to].first), max(last, (*s)[to].last)
	}
	*s = slices.Replace(*s, from, to, span{first, last})
	for len(*s) > maxSpans {
		(*s)[1].first = (*s)[0].first
		*s = slices.Delete(*s, 0, 1)
	}
}

// cover says whether every number from first to last was put in; there may be none.
func (s spans) cover(first, last int64) bool {
	return last < first || slices.ContainsFunc(s, func(a span) bool { return a.first <= first && last <= a.last })
}
