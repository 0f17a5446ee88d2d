package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"axon/demo/standin"
)

// alone is a client that keeps no connection: Envoy may be another one at the next request. It waits longer than anything that
// goes on while a poll is held.
var alone = &http.Client{Timeout: 5 * limit, Transport: &http.Transport{DisableKeepAlives: true}}

// answer is what became of a request: who answered, and what arrived there.
type answer struct {
	status                  int
	worker, user, forwarded string
}

// ask sends a request with a token, unless that is empty, and with headers in pairs.
func (s *site) ask(method, target, token string, headers ...string) (answer, error) {
	r, err := http.NewRequest(method, "http://"+s.front+target, nil)
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	response, err := alone.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	h := response.Header
	if response.StatusCode >= http.StatusInternalServerError {
		return answer{}, fmt.Errorf("%s by %q: %s", response.Status, h.Get(standin.WorkerHeader), body)
	}
	if h.Get(standin.EchoAffinity) != "" {
		return answer{}, errors.New("x-axon-affinity got through to a worker")
	}
	return answer{response.StatusCode, h.Get(standin.WorkerHeader), h.Get(standin.EchoUser), h.Get(standin.EchoForwardedFor)}, nil
}

// get gives the status of a plain request, 0 where there is no answer.
func (s *site) get(address, path string) int {
	response, err := alone.Get("http://" + address + path)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// syncNow asks for what is new and does not wait for it.
const syncNow = "/_matrix/client/v3/sync?since=s1&timeout=0"

// placement says which worker the sync of each user's native token lands on.
func (s *site) placement(t *testing.T) map[string]string {
	t.Helper()
	placed := map[string]string{}
	for _, u := range s.users {
		a, err := s.ask(http.MethodGet, syncNow, u.native)
		if err != nil || a.status != http.StatusOK {
			t.Fatalf("sync of %s: %v, %v", u.id, a, err)
		}
		placed[u.id] = a.worker
	}
	return placed
}

func (s *site) samePlacement(t *testing.T, when string, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, s.placement(t)); diff != "" {
		t.Errorf("%s: users have moved (-before +after)\n%s", when, diff)
	}
}

// knows waits until the user behind an opaque token gets to the worker.
func (s *site) knows(t *testing.T, u user) {
	t.Helper()
	eventually(t, "identity", func() error {
		a, err := s.ask(http.MethodGet, syncNow, u.opaque)
		if err == nil && a.user != u.id {
			err = errors.New("the request came without identity")
		}
		return err
	})
}

// traffic goes on until the test ends or the function that it gives is called, and fails the test where one request of it
// is not answered well.
func (s *site) traffic(t *testing.T) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
			}
			a, err := s.ask(http.MethodGet, syncNow, s.users[i%len(s.users)].native)
			if err != nil || a.status != http.StatusOK {
				t.Errorf("request %d: %v, %v", i, a, err)
				return
			}
		}
	})
	stop = sync.OnceFunc(func() { close(done); running.Wait() })
	t.Cleanup(stop)
	return stop
}

// metric gives Axon's metrics of a name with their labels.
func (s *site) metric(name string) (map[string]float64, error) {
	response, err := alone.Get("http://" + s.admin + "/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	found := map[string]float64{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		sample, value, _ := strings.Cut(lines.Text(), " ")
		if labels, ok := strings.CutPrefix(sample, name); ok {
			if found[labels], err = strconv.ParseFloat(value, 64); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}
