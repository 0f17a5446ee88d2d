// Package e2e drives Axon, as its binary, with a real Envoy, real Synapse workers, and a client library that others wrote.
package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"axon/e2e/synapse"
)

// TestFrontDoor is Axon's job: a client that knows one address, and each of its requests at a process that may serve it.
func TestFrontDoor(t *testing.T) {
	hs := synapse.Start(t, synapse.Options{Workers: synapse.Full()})
	door := startAxon(t, hs)
	r := runClient(t, door.URL)
	pairs := served(t, hs, r)

	t.Run("every request is served by a process of its group", func(t *testing.T) { checkGroups(t, pairs) })
	t.Run("no process is asked for what it does not serve", func(t *testing.T) { checkStatuses(t, hs.Requests()) })
	t.Run("all devices of a user sync at one worker", func(t *testing.T) { checkAffinity(t, pairs) })
	t.Run("a forged identity changes nothing", func(t *testing.T) { checkForged(t, pairs) })
	t.Run("Synapse sees the user who asked", func(t *testing.T) { checkUsers(t, hs, pairs) })
	t.Log(placement(pairs))
}

func checkGroups(t *testing.T, pairs []pair) {
	seen := map[string]bool{}
	for _, p := range pairs {
		e := expectationFor(p.by)
		if e == nil {
			t.Errorf("%s: expectations have no class for it", p.asked)
			continue
		}
		seen[e.class] = true
		if !slices.Contains(e.workers, p.by.Worker) {
			t.Errorf("%s (%s): served by %s, want one of %v", p.asked, e.class, p.by.Worker, e.workers)
		}
	}
	for _, e := range expectations {
		if !seen[e.class] {
			t.Errorf("%s: the client asked nothing of this class", e.class)
		}
	}
}

// checkStatuses reads all that the processes answered, also to what Axon asked: 404, 405 and 500 are what a Synapse process
// says to requests that are not for it.
func checkStatuses(t *testing.T, requests []synapse.Request) {
	wrong := []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusInternalServerError}
	for _, r := range requests {
		if slices.Contains(wrong, r.Status) {
			t.Errorf("%s answered %d to %s %s (%s)", r.Worker, r.Status, r.Method, r.Path, r.Agent)
		}
	}
}

func checkAffinity(t *testing.T, pairs []pair) {
	workers := map[string]map[string][]string{} // user, worker, devices
	for _, p := range pairs {
		e := expectationFor(p.by)
		if e == nil || !strings.HasPrefix(e.class, "incremental") {
			continue
		}
		of := workers[p.User]
		if of == nil {
			of = map[string][]string{}
			workers[p.User] = of
		}
		if !slices.Contains(of[p.by.Worker], p.Device) {
			of[p.by.Worker] = append(of[p.by.Worker], p.Device)
		}
	}
	used := map[string]bool{}
	for name, of := range workers {
		if len(of) != 1 {
			t.Errorf("%s syncs at several workers: %v", name, of)
		}
		for worker, devices := range of {
			used[worker] = true
			if len(devices) != 3 {
				t.Errorf("%s: only %v sync at %s", name, devices, worker)
			}
		}
	}
	// The names of users and workers are fixed, and so is where they land: not all in one place.
	if len(workers) != 4 || len(used) < 2 {
		t.Errorf("%d users on %d sync workers, want four users on two or three", len(workers), len(used))
	}
}

// checkForged looks at requests with somebody else's X-User-Identifier and X-Forwarded-For. checkAffinity has seen that
// they went where their user's others did.
func checkForged(t *testing.T, pairs []pair) {
	n := 0
	for _, p := range pairs {
		if p.Step != "forged identity" {
			continue
		}
		n++
		if p.by.Client != "127.0.0.1" {
			t.Errorf("%s: Synapse takes %s for the client's address", p.asked, p.by.Client)
		}
	}
	if n == 0 {
		t.Error("the client forged nothing")
	}
}

func checkUsers(t *testing.T, hs *synapse.Homeserver, pairs []pair) {
	for _, p := range pairs {
		want := fmt.Sprintf("@%s:%s", p.User, hs.ServerName)
		if p.by.User != "" && p.by.User != want {
			t.Errorf("%s: Synapse takes it for %s", p.asked, p.by.User)
		}
		if p.by.Status != p.Status {
			t.Errorf("%s: the client got %d, %s logged %d", p.asked, p.Status, p.by.Worker, p.by.Status)
		}
	}
}

// placement says how many requests each process served, for whoever reads the test's output.
func placement(pairs []pair) string {
	counts := map[string]int{}
	for _, p := range pairs {
		counts[p.by.Worker]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests:", len(pairs))
	for _, worker := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, " %s %d", worker, counts[worker])
	}
	return b.String()
}
