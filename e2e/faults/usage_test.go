package faults

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is what Axon and Envoy took after a fault.
type usage struct {
	axon, envoy           program
	goroutines, openFiles int // Axon's
}

// program is a process and its resident memory in KiB.
type program struct{ pid, rss int }

func (s *site) measure() {
	s.t.Helper()
	var u usage
	var err error
	if u.envoy.pid, err = s.envoyPID(); err != nil {
		s.t.Fatal(err)
	}
	u.axon.pid = s.axon.PID
	for _, p := range []*program{&u.axon, &u.envoy} {
		if p.rss, err = resident(p.pid); err != nil {
			s.dump("axon")
			s.t.Fatal(err)
		}
	}
	if u.goroutines, u.openFiles, err = s.quiet(); err != nil {
		s.t.Fatal(err)
	}
	s.usage = append(s.usage, u)
}

// resident is the resident memory of a process, in KiB.
func resident(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, is := strings.CutPrefix(line, "VmRSS:"); is {
			return strconv.Atoi(strings.Fields(value)[0])
		}
	}
	return 0, fmt.Errorf("process %d: no VmRSS", pid)
}

// spare is how many more goroutines and open files Axon may have at the end than at the start, both without load.
const spare = 10

// quiet gives Axon's goroutines and open files.
func (s *site) quiet() (goroutines, files int, err error) {
	g, err := s.metric("go_goroutines")
	f, other := s.metric("process_open_fds")
	return int(g), int(f), errors.Join(err, other)
}

// leaks waits until Axon has no more goroutines and open files than before the load.
func (s *site) leaks() (fault string) {
	for end := time.Now().Add(patience); ; time.Sleep(time.Second) {
		goroutines, files, err := s.quiet()
		if err == nil && goroutines <= s.idle.goroutines+spare && files <= s.idle.openFiles+spare {
			return ""
		}
		if time.Now().After(end) {
			return fmt.Sprintf("axon has %d goroutines and %d open files at rest, %d and %d at the start (%v)",
				goroutines, files, s.idle.goroutines, s.idle.openFiles, err)
		}
	}
}

// flat is how many times the memory of the first part of the run that of the second may be.
const flat = 1.1

// over judges the run as a whole. Its first part is long enough for what allocators keep once they have needed it.
func (s *site) over() (figures string, faults []string) {
	if fault := s.leaks(); fault != "" {
		faults = append(faults, fault)
	}
	for _, p := range []struct {
		name string
		of   func(usage) program
	}{
		{"axon", func(u usage) program { return u.axon }},
		{"envoy", func(u usage) program { return u.envoy }},
	} {
		first, second := most(s.usage[:s.once], p.of), most(s.usage[s.once:], p.of)
		figures += fmt.Sprintf("%s: at most %d MiB while the faults were made one by one", p.name, first>>10)
		if s.once < len(s.usage) {
			figures += fmt.Sprintf(", %d MiB in random order", second>>10)
		}
		figures += "\n"
		if float64(second) > flat*float64(first) {
			faults = append(faults, fmt.Sprintf("%s's memory has grown from %d KiB to %d KiB", p.name, first, second))
		}
	}
	return figures, faults
}

func most(all []usage, of func(usage) program) (rss int) {
	for _, u := range all {
		rss = max(rss, of(u).rss)
	}
	return rss
}
