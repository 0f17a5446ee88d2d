package faults

import (
	"flag"
	"regexp"
	"testing"
	"time"
)

// fault is something that goes wrong and is put right again.
type fault struct {
	name  string
	short bool // whether it is in the shorter form
	// happen makes it, waits as long as it takes to be felt, and mends it. It tells the window what it excuses.
	happen func(s *site, w *window)
	// prepare, where it is there, is done once, before there is any load.
	prepare func(s *site)
	// before and after, where they are there, are not part of the fault. Its requests do not count.
	before, after func(s *site, w *window)
}

// chosen are the faults to be made.
func chosen(t testing.TB) []fault {
	t.Helper()
	wanted, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	var found []fault
	for _, f := range faults {
		if (f.short || *long > 0 || *only != "") && wanted.MatchString(f.name) {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		t.Fatalf("-%s %s: there is no such fault", flag.Lookup("only").Name, *only)
	}
	return found
}

// begin opens the front door, puts the load on it and learns who belongs where.
func (s *site) begin() {
	s.t.Helper()
	s.startAxon()
	s.serves()
	s.load = newLoad(s)
	s.homes = map[string]string{}
	s.until("everybody in place", s.settleIn)
	var err error
	if s.idle.goroutines, s.idle.openFiles, err = s.quiet(); err != nil {
		s.t.Fatal(err)
	}
	s.load.run()
	time.Sleep(2 * pollFor) // until every user has a poll, and every pool its connections
	s.last = time.Now()
	s.ledger.forget(s.last)
}

// suffer makes a fault and counts what it did.
func (s *site) suffer(f fault) (*window, *counts) {
	s.t.Helper()
	if f.before != nil {
		s.suffer(fault{name: "before: " + f.name, happen: f.before})
	}
	if f.after != nil {
		defer func() { s.suffer(fault{name: "after: " + f.name, happen: f.after}) }()
	}
	w := &window{fault: f, from: s.last, movers: map[string]bool{}, guests: map[string]bool{}, gone: map[string][]span{}}
	f.happen(s, w)
	mended := time.Now()
	astray := s.goHome()
	back := time.Since(mended)
	w.to = time.Now()
	s.last = w.to
	records, err := s.ledger.during(w.from, w.to)
	if err != nil {
		s.dump("axon")
		s.t.Fatalf("%s: %v", f.name, err)
	}
	c := w.count(s, records)
	c.astray, c.back = astray, back
	s.ledger.forget(w.to)
	s.extra = nil
	s.measure()
	w.usage = s.usage[len(s.usage)-1]
	return w, c
}

// end takes the load off.
func (s *site) end() {
	s.t.Helper()
	s.load.end()
	if n := s.load.skipped.Load(); n > 0 {
		s.t.Errorf("%d requests were not sent, because %d were under way", n, mostAtOnce)
	}
}
