package faults

import (
	"fmt"
	"time"
)

// question is a request about something that has a worker of its own.
type question struct {
	*kind
	about
}

// questions ask for everything that has a worker of its own: for what is a user's with each of the two tokens.
func (s *site) questions() (all []question) {
	for i := range kinds {
		k := &kinds[i]
		for j, u := range s.users {
			a := about{user: u.id, token: u.native, room: room(j), origin: origin(j)}
			switch {
			case k.together == nil:
			case k.personal:
				all = append(all, question{k, a})
				a.token = u.opaque
				all = append(all, question{k, a})
			case k.name == "transaction" && j < origins, k.name != "transaction" && j < rooms:
				all = append(all, question{k, a})
			}
		}
	}
	return all
}

// put asks, a few at a time, and gives the worker of each answer, "" where it was none.
func (s *site) put(questions []question) []string {
	const atOnce = 32
	workers := make([]string, len(questions))
	meanwhile(atOnce, func(i int) {
		for ; i < len(questions); i += atOnce {
			if r := s.load.send(questions[i].kind, questions[i].about, "since=s1&timeout=0"); r.ok() {
				workers[i] = r.worker
			}
		}
	})
	return workers
}

// settleIn learns who belongs where: every one has one place, whatever the token.
func (s *site) settleIn() error {
	s.homes = map[string]string{}
	questions := s.questions()
	for i, worker := range s.put(questions) {
		seat := questions[i].together(questions[i].about)
		home, known := s.homes[seat]
		if worker == "" || known && home != worker {
			return fmt.Errorf("%s: served by %q and %q", seat, home, worker)
		}
		s.homes[seat] = worker
	}
	return nil
}

// goHome waits until everybody has been served where they were at the start, and gives how many have not. Those who were and
// leave again are found by the count.
func (s *site) goHome() (astray int) {
	questions := s.questions()
	for _, a := range s.extra {
		questions = append(questions, question{&kinds[0], a})
	}
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		var again []question
		for i, worker := range s.put(questions) {
			if worker != s.homes[questions[i].together(questions[i].about)] {
				again = append(again, questions[i])
			}
		}
		if questions = again; len(again) == 0 || time.Now().After(end) {
			return len(again)
		}
	}
}
