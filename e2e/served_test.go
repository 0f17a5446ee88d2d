package e2e

import (
	"strings"
	"testing"
	"time"

	"axon/e2e/synapse"
)

// pair is a request of the client and the log line of a process that served it.
type pair struct {
	asked
	by synapse.Request
}

// served finds in the processes' logs who served each request of the report, and fails the test for a request that is in
// no log. A request stands in several pairs when several processes got it, as a retry does.
func served(t *testing.T, hs *synapse.Homeserver, r report) []pair {
	t.Helper()
	var pairs []pair
	var lost []asked
	// A process writes its line after its answer.
	for range 100 {
		if pairs, lost = match(r, hs.Requests()); len(lost) == 0 {
			return pairs
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, request := range lost {
		t.Errorf("%s: in no process's log", request)
	}
	return pairs
}

func match(r report, logged []synapse.Request) (pairs []pair, lost []asked) {
	byAgent := map[string][]synapse.Request{}
	for _, line := range logged {
		byAgent[line.Agent] = append(byAgent[line.Agent], line)
	}
	for _, request := range r.Requests {
		found := false
		for _, line := range byAgent[request.Agent] {
			if same(request, line) {
				pairs = append(pairs, pair{asked: request, by: line})
				found = true
			}
		}
		if !found {
			lost = append(lost, request)
		}
	}
	return pairs, lost
}

// whoami is what Axon asks on behalf of a client, and with the client's User-Agent.
const whoami = "/account/whoami"

func same(request asked, line synapse.Request) bool {
	if strings.HasSuffix(line.Path, whoami) {
		return strings.Contains(request.Path, whoami)
	}
	return strings.EqualFold(request.Method, line.Method)
}
