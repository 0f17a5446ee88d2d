package faults

import (
	"os"
	"syscall"
	"time"
)

// noticed is how long Envoy takes to leave a dead worker out, and a bit: two checks, 2 s apart, the second waiting for 1 s.
const noticed = 6 * time.Second

// anyWorker has others that can do its work.
func (s *site) anyWorker() string {
	return s.anyOf("sync-", "event-creator-", "client-reader-", "federation-")
}

func killWorker(s *site, w *window) {
	name := s.anyWorker()
	w.note = name
	s.kill(w, name)
	time.Sleep(noticed)
	s.startAt(name, s.workers[name].address)
}

func killWriter(s *site, w *window) {
	w.gone[writer] = []span{{from: time.Now()}}
	s.kill(w, writer)
	time.Sleep(time.Second)
	s.startAt(writer, s.workers[writer].address)
	time.Sleep(noticed)
	w.gone[writer][0].to = time.Now()
}

func stopWorker(s *site, w *window) {
	name := s.anyWorker()
	w.note = name
	w.movers[name] = true
	s.signal(name, syscall.SIGSTOP)
	time.Sleep(2 * noticed)
	s.signal(name, syscall.SIGCONT)
}

func (s *site) signal(name string, sig syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(s.workers[name].PID, sig); err != nil {
		s.t.Fatal(err)
	}
}

func moveWorker(s *site, w *window) {
	name := s.anyWorker()
	w.note = name
	s.kill(w, name)
	time.Sleep(noticed)
	s.start(name)
	s.reloading("published", func() { s.describe(name) })
}

func addWorker(s *site, w *window) {
	const name = "sync-4"
	w.guests[name] = true
	s.start(name)
	s.reloading("published", func() { s.describe(name) })
	time.Sleep(noticed)
	file, _ := s.file(name)
	s.reloading("published", func() { s.remove(file) })
	leaver := s.workers[name]
	delete(s.workers, name)
	go leaver.retire()
}

// retire ends a worker that gets nothing new, once what it has in hand is done.
func (w *worker) retire() {
	time.Sleep(time.Second) // until Envoy knows
	_ = w.Stop(syscall.SIGTERM, 2*pollFor)
}

// removeWorker takes away one of three, removeOneOfTwo one of two: then there is nothing to choose for a while.
func removeWorker(s *site, w *window) { s.without(w, s.anyOf("sync-")) }

func removeOneOfTwo(s *site, w *window) {
	s.without(w, s.anyOf("event-creator-", "client-reader-", "federation-"))
}

// without takes a worker's file away, and puts it back.
func (s *site) without(w *window, name string) {
	s.t.Helper()
	w.note = name
	w.movers[name] = true
	file, _ := s.file(name)
	s.reloading("published", func() { s.remove(file) })
	time.Sleep(noticed)
	s.reloading("published", func() { s.describe(name) })
}

func (s *site) remove(file string) {
	s.t.Helper()
	if err := os.Remove(s.path(file)); err != nil {
		s.t.Fatal(err)
	}
}
