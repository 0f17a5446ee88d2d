package faults

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// breakFiles writes what can't be read into a worker's file and into axon.yaml, and mends both.
func breakFiles(s *site, _ *window) {
	name := s.anyWorker()
	file, text := s.file(name)
	s.reloading("refused", func() { s.write(file, text+"  - {type: http\n") })
	time.Sleep(time.Second)
	s.reloading("refused", func() { s.write("axon.yaml", s.axonYAML()+"no_such_key: 1\n") })
	s.reloading("refused", func() { s.write(file, text) })
	s.reloading("unchanged", func() { s.write("axon.yaml", s.axonYAML()) })
}

// removeFiles takes Synapse's files away: the homeserver's, then the folder of the workers'.
func removeFiles(s *site, _ *window) {
	for _, name := range []string{"homeserver.yaml", "workers"} {
		s.reloading("refused", func() { s.rename(name, name+".away") })
		time.Sleep(time.Second)
		s.reloading("unchanged", func() { s.rename(name+".away", name) })
	}
}

func (s *site) rename(from, to string) {
	s.t.Helper()
	if err := os.Rename(s.path(from), s.path(to)); err != nil {
		s.t.Fatal(err)
	}
}

// manyReloads changes axon.yaml a hundred times in a minute; in the shorter form a fifth of it.
func manyReloads(s *site, w *window) {
	times, pause := 100, 600*time.Millisecond
	if *long == 0 {
		times /= 5
	}
	before := s.reloads("published")
	for i := range times {
		s.wellKnown(i)
		time.Sleep(pause)
	}
	s.wellKnown(times)
	s.until("the last change", func() error { return s.tells(times) })
	w.note = fmt.Sprintf("%d changes, %.0f updates of Envoy", times+1, s.reloads("published")-before)
	s.reloading("published", func() { s.write("axon.yaml", s.axonYAML()) })
}

// wellKnown has Envoy tell a number.
func (s *site) wellKnown(n int) {
	s.t.Helper()
	s.write("axon.yaml", s.axonYAML()+fmt.Sprintf("well_known: {server: \"n%d.%s:443\"}\n", n, serverName))
}

// tells asks Envoy for the number.
func (s *site) tells(n int) error {
	response, err := alone.Get("http://" + s.front + "/.well-known/matrix/server")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text := make([]byte, 100)
	read, _ := response.Body.Read(text)
	if !strings.Contains(string(text[:read]), fmt.Sprintf("\"n%d.", n)) {
		return errors.New(string(text[:read]))
	}
	return nil
}
