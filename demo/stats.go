package demo

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Stats is what Render shows.
type Stats struct {
	URL, AdminURL, Dir string
	Elapsed            time.Duration
	Requests, Failed   int
	// Whoami is how often the stand-ins were asked whose token it is.
	Whoami int
	// Syncs is how many syncs by user were answered, Named how many of them arrived with the right X-User-Identifier.
	Syncs, Named int
	// Users, Rooms and Origins are what belongs together; Rest is everything else by what was asked.
	Users, Rooms, Origins, Rest Section
	// Faults counts failed requests by what went wrong.
	Faults map[string]int
}

// Section is a part of the table. Columns are the workers that are always shown; others appear when they are hit.
type Section struct {
	Columns []string
	Rows    []Row
}

// Row is one user, room, origin or kind of request.
type Row struct {
	Name string
	// Landed counts answers by worker.
	Landed map[string]int
	// Last is the worker of the latest answer to each party: device, spelling.
	Last map[string]string
}

// Together says whether all parties were last seen on one worker; known is false before there are two of them.
func (r Row) Together() (together, known bool) {
	workers := map[string]bool{}
	for _, w := range r.Last {
		workers[w] = true
	}
	return len(workers) == 1, len(r.Last) > 1
}

// tally keeps Stats up to date.
type tally struct {
	mu    sync.Mutex
	begun time.Time
	stats Stats
}

// emptyStats has every row that will be needed, so that the table does not grow while one looks at it.
func emptyStats(devices []device) Stats {
	s := Stats{
		Users:   Section{Columns: workersNamed("sync-")},
		Rooms:   Section{Columns: workersNamed("event-creator-")},
		Origins: Section{Columns: workersNamed("federation-")},
		Faults:  map[string]int{},
	}
	for _, d := range devices {
		s.Users.row(localpart(d.user))
	}
	for _, r := range rooms {
		s.Rooms.row(r.alias)
	}
	for _, o := range origins {
		s.Origins.row(o)
	}
	s.Rest.row(initialSync(device{}).what)
	for _, m := range mix {
		if r := m.make(device{}); r.view == byKind {
			s.Rest.row(r.what)
		}
	}
	return s
}

// row finds the row of this name, and adds it where there is none.
func (s *Section) row(name string) *Row {
	for i := range s.Rows {
		if s.Rows[i].Name == name {
			return &s.Rows[i]
		}
	}
	s.Rows = append(s.Rows, Row{Name: name, Landed: map[string]int{}, Last: map[string]string{}})
	return &s.Rows[len(s.Rows)-1]
}

func (t *tally) record(r request, a answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.stats
	s.Requests++
	if a.fault != "" {
		s.Failed++
		s.Faults[r.what+": "+a.fault]++
		return
	}
	section, name := &s.Rest, r.what
	switch r.view {
	case byUser:
		section, name = &s.Users, r.subject
		s.Syncs++
		if a.identity == r.user {
			s.Named++
		}
	case byRoom:
		section, name = &s.Rooms, r.subject
	case byOrigin:
		section, name = &s.Origins, r.subject
	}
	row := section.row(name)
	row.Landed[a.worker]++
	row.Last[r.party] = a.worker
}

// Stats gives what has been seen so far; it is the caller's to keep. AdminURL, Dir and Whoami are not traffic's to know.
func (t *Traffic) Stats() Stats {
	t.tally.mu.Lock()
	defer t.tally.mu.Unlock()
	s := t.tally.stats
	s.URL, s.Elapsed = t.url, time.Since(t.tally.begun)
	s.Faults = maps.Clone(s.Faults)
	for _, section := range []*Section{&s.Users, &s.Rooms, &s.Origins, &s.Rest} {
		section.Rows = slices.Clone(section.Rows)
		for i, r := range section.Rows {
			section.Rows[i].Landed, section.Rows[i].Last = maps.Clone(r.Landed), maps.Clone(r.Last)
		}
	}
	return s
}
