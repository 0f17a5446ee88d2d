package revocation

import (
	"math/rand/v2"
	"testing"
)

func TestPositions(t *testing.T) {
	tests := map[string]struct {
		lines []string
		gaps  int
	}{
		"the first line": {
			lines: []string{`POSITION caches a 40 40`},
		},
		"processes that stand where they stood when this began, as seen on Synapse": {
			lines: []string{
				`POSITION caches w2 1 1`, `POSITION caches w1 3 3`, `RDATA caches master 4 ["x",null,1]`, `POSITION caches w2 4 4`, `POSITION caches w1 3 3`,
			},
		},
		"a process that says its first word after a row was lost": {
			lines: []string{`RDATA caches a 40 ["x",null,1]`, `POSITION caches b 41 41`},
			gaps:  1,
		},
		"a database without sequences": {
			lines: []string{`POSITION caches a 0 0`, `POSITION caches b 0 0`},
		},
		"a process that says where it stood": {
			lines: []string{`POSITION caches a 40 40`, `RDATA caches a 41 ["x",null,1]`, `POSITION caches a 41 41`},
		},
		"a process that is where its rows went, though nobody said the row before": {
			lines: []string{`POSITION caches a 40 40`, `RDATA caches a 43 ["x",null,1]`, `POSITION caches a 43 43`},
		},
		"a row that was lost": {
			lines: []string{`RDATA caches a 40 ["x",null,1]`, `RDATA caches b 42 ["x",null,1]`, `POSITION caches a 42 42`},
			gaps:  1,
		},
		"a row that was lost after one that was not": {
			lines: []string{`RDATA caches a 40 ["x",null,1]`, `POSITION caches a 41 41`},
			gaps:  1,
		},
		"a gap is told once": {
			lines: []string{`RDATA caches a 40 ["x",null,1]`, `POSITION caches a 41 41`, `POSITION caches a 41 41`, `POSITION caches b 41 41`},
			gaps:  1,
		},
		"all tell where they stand when a worker starts, as seen on Synapse": {
			lines: []string{
				`POSITION caches w1 3 3`, `POSITION caches w2 3 3`, `POSITION caches master 3 3`,
				`RDATA caches master 4 ["x",null,1]`, `RDATA caches w1 5 ["x",null,1]`, `RDATA caches master 7 ["x",null,1]`,
				`RDATA caches w1 6 ["x",null,1]`, `RDATA caches master 7 ["x",null,1]`,
				`POSITION caches w1 7 7`, `POSITION caches w2 7 7`, `POSITION caches w2 7 7`, `POSITION caches master 7 7`,
			},
		},
		"numbers that a process took and did not use": {
			lines: []string{
				`POSITION caches a 40 40`, `POSITION caches b 40 40`, `POSITION caches a 40 45`, `RDATA caches a 46 ["x",null,1]`,
				`POSITION caches b 46 46`,
			},
		},
		"another process's number that was lost": {
			lines: []string{
				`POSITION caches a 40 40`, `POSITION caches b 40 40`, `RDATA caches a 41 ["x",null,1]`, `RDATA caches a 43 ["x",null,1]`,
				`POSITION caches b 43 43`,
			},
			gaps: 1,
		},
		"a process that skips numbers when it has not said anything for long, and a number that was rolled back": {
			lines: []string{`POSITION caches a 40 40`, `POSITION caches b 40 40`, `RDATA caches b 42 ["x",null,1]`, `POSITION caches a 42 43`},
		},
		"a position from before the latest row": {
			lines: []string{`RDATA caches a 45 ["x",null,1]`, `POSITION caches a 40 44`, `POSITION caches a 45 45`},
		},
		"rows of a batch": {
			lines: []string{`RDATA caches a batch ["x",null,1]`, `RDATA caches a 45 ["x",null,1]`, `POSITION caches a 45 45`},
		},
		"a batch whose end was not seen": {
			lines: []string{`RDATA caches a batch ["x",null,1]`, `POSITION caches a 45 45`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPositions()
			gaps := 0
			for _, text := range test.lines {
				l, err := parse(text)
				if err != nil {
					t.Fatal(err)
				}
				if p.note(l) {
					gaps++
				}
			}
			if gaps != test.gaps {
				t.Errorf("%d gaps, want %d", gaps, test.gaps)
			}
		})
	}
}

// TestSpans compares spans with a set, on ranges of numbers so few that they often touch.
func TestSpans(t *testing.T) {
	for range 200 {
		var s spans
		set := map[int64]bool{}
		for range 30 {
			first := rand.Int64N(100)
			last := first + rand.Int64N(6) - 1
			s.add(first, last)
			for n := first; n <= last; n++ {
				set[n] = true
			}
			checkSpans(t, s, set)
		}
	}
}

func checkSpans(t *testing.T, s spans, set map[int64]bool) {
	t.Helper()
	for n := range int64(110) {
		if s.cover(n, n) != set[n] {
			t.Fatalf("cover(%d) is %t in %v", n, !set[n], s)
		}
	}
	for i, a := range s {
		if a.last < a.first || i > 0 && a.first <= s[i-1].last+1 {
			t.Fatalf("%v overlap, touch, or are not sorted", s)
		}
	}
}

func TestSpansGiveUpTheOldestNumbers(t *testing.T) {
	var s spans
	for n := range int64(2 * maxSpans) {
		s.add(2*n, 2*n)
	}
	if len(s) != maxSpans || !s.cover(0, 2*maxSpans) || s.cover(2*maxSpans, 2*maxSpans+1) {
		t.Errorf("%d spans, from %v", len(s), s[:2])
	}
}
