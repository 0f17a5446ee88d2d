package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"axon/demo/standin"
	"axon/e2e/faults/standin/ask"
	"axon/e2e/process"
)

// worker is a stand-in process.
type worker struct {
	*process.Process
	address string // host:port
	life    string // names this process among those that the worker has had
}

// work is how long each request takes a stand-in, as a rule.
const work = 5 * time.Millisecond

// start starts a worker at a new address.
func (s *site) start(name string) { s.startAt(name, freeAddress(s.t)) }

// startAt starts a worker, and returns when it serves.
func (s *site) startAt(name, address string) {
	s.t.Helper()
	life := fmt.Sprintf("%s.%d", name, s.launches)
	writers := map[string][]string{}
	for _, stream := range streams {
		writers[stream] = []string{writer}
	}
	has := resources(name)
	config, err := json.Marshal(ask.Config{
		Worker: standin.Config{
			Name: name, Resources: has, MediaRepo: slices.Contains(has, standin.Media), Writers: writers, Tokens: s.tokens, LongPoll: time.Hour,
			Network: "unix", Address: s.path(life + ".sock"),
		},
		Address: address, Work: work, Journal: filepath.Join(s.path("journals"), life), Faults: s.path("faults.json"),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(life+".json", string(config))
	p, err := process.Start(exec.Command(s.standin, s.path(life+".json")), s.log(name), syscall.SIGKILL)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = p.Kill() })
	s.workers[name] = &worker{p, address, life}
	s.until(name, func() error {
		response, err := http.Get("http://" + address + "/health")
		if err == nil {
			err = response.Body.Close()
		}
		return err
	})
}

// kill is kill -9. What the process had in hand at that moment is its own.
func (s *site) kill(w *window, name string) {
	s.t.Helper()
	if err := s.workers[name].Kill(); err != nil {
		s.t.Fatal(err)
	}
	w.killed = append(w.killed, death{life: s.workers[name].life, at: time.Now()})
	w.movers[name] = true
}

// anyOf gives one of the workers whose name begins so.
func (s *site) anyOf(prefixes ...string) string {
	var names []string
	for _, name := range cast {
		for _, prefix := range prefixes {
			if strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
	}
	return names[s.draw.IntN(len(names))]
}

// standins makes all of them do something wrong, or nothing with the zero value.
func (s *site) standins(f ask.Faults) {
	s.t.Helper()
	text, err := json.Marshal(f)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("faults.json", string(text))
}
