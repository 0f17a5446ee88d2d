package faults

import (
	"fmt"
	"syscall"
	"time"

	"axon/e2e/faults/standin/ask"
)

// freshUsers are those who log in during a fault, so that Axon has to ask whose their tokens are.
const freshUsers = 40

// whoami gives a fault of what Axon asks whose a token is.
func whoami(how string) func(*site, *window) {
	return func(s *site, w *window) {
		s.standins(ask.Faults{Whoami: how})
		s.logIn(w, 5*time.Second)
		s.standins(ask.Faults{})
	}
}

// logIn has users use new tokens for a while, and as many requests of theirs go on as take the place of others'. They have to
// be back where their users are when all is well again.
func (s *site) logIn(w *window, lasting time.Duration) {
	s.t.Helper()
	var abouts []about
	for i, u := range s.users[:freshUsers] {
		if len(s.fresh[i]) == 0 {
			s.t.Fatal("there are no new tokens left")
		}
		abouts = append(abouts, about{user: u.id, token: s.fresh[i][0], fresh: true})
		s.fresh[i] = s.fresh[i][1:]
	}
	pause := lasting / time.Duration(3*len(abouts))
	for range 3 {
		for _, a := range abouts {
			s.load.throw(&kinds[0], a)
			time.Sleep(pause)
		}
	}
	s.extra = abouts
	w.note = fmt.Sprintf("%d new tokens", len(abouts))
}

func killRedis(s *site, w *window) {
	if err := s.redis.Kill(); err != nil {
		s.t.Fatal(err)
	}
	s.logIn(w, 5*time.Second)
	s.startRedis()
}

func stopRedis(s *site, w *window) {
	if err := syscall.Kill(s.redis.PID, syscall.SIGSTOP); err != nil {
		s.t.Fatal(err)
	}
	s.logIn(w, 5*time.Second)
	if err := syscall.Kill(s.redis.PID, syscall.SIGCONT); err != nil {
		s.t.Fatal(err)
	}
}
