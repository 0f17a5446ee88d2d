package conformance

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"axon/xds/topology"
)

// judge says whether requests arrived where they should.
type judge struct {
	deployment
	processes []process

	mu     sync.Mutex
	byKind map[string]int
}

func newJudge(d deployment, t *topology.Topology, s *synapse) *judge {
	j := &judge{deployment: d, byKind: map[string]int{}}
	for _, w := range append([]*topology.Worker{t.Main}, t.Workers...) {
		j.processes = append(j.processes, newProcess(s, t, w))
	}
	return j
}

func (j *judge) count(kind string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.byKind[kind]++
}

func (j *judge) counts() string {
	var parts []string
	for kind, n := range j.byKind {
		parts = append(parts, fmt.Sprintf("%d %s", n, kind))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// hidden are paths that Synapse serves and Axon keeps from the public: the redirect to a static page, what the Matrix
// Authentication Service alone calls, and more names for /health.
func hidden(path string) bool {
	return path == "/" || strings.HasPrefix(path, "/_synapse/mas/") || strings.HasPrefix(path, "/health/")
}

func (j *judge) check(t *testing.T, r request, status int, header http.Header) {
	by := header.Get(byHeader)
	fail := func(want string) { t.Errorf("%s %s: %d by %q, want %s", r.method, r.target, status, by, want) }
	if target := header.Get(targetHeader); by != "" && target != r.target {
		fail("its target unchanged, not " + target)
	}
	able := j.able(r.method, r.path())
	switch {
	case hidden(r.path()):
		j.count("hidden")
		want := http.StatusNotFound
		if r.method == http.MethodOptions { // or no browser would show the 404 to its page
			want = http.StatusNoContent
		}
		if status != want || by != "" {
			fail(fmt.Sprintf("%d by Envoy", want))
		}
	case r.method == http.MethodOptions:
		j.count("preflights")
		if by == "" || status != http.StatusNoContent && status != http.StatusOK {
			fail("204 by any process, or 200 by a service beside Synapse")
		}
	case len(able) == 0:
		j.count("that nobody serves")
		if status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
			fail("404 or 405, as nobody serves it")
		}
	case status != http.StatusOK:
		fail("200 by one of " + strings.Join(able, " "))
	default:
		j.host(by, header, fail)
		j.left(r, by, able, fail)
	}
}

// able are the processes, and services beside Synapse, that serve a request.
func (j *judge) able(method, path string) (names []string) {
	if j.delegated && masAnswer(method, path) == http.StatusOK {
		return []string{masName}
	}
	if j.mediaRepo && mediaRepoAnswer(path) == http.StatusOK {
		return []string{mediaRepoName}
	}
	for _, p := range j.processes {
		if slices.ContainsFunc(p.listeners, func(resources []string) bool { return p.answer(method, path, resources) == http.StatusOK }) {
			names = append(names, p.name)
		}
	}
	return names
}

// host checks by which name matrix-media-repo is called.
func (j *judge) host(by string, header http.Header, fail func(string)) {
	if by != mediaRepoName {
		return
	}
	want := serverName + "|"
	if j.forwarded {
		want = clientHost + "|" + serverName
	}
	if got := header.Get(hostHeader); got != want {
		fail("Host and X-Forwarded-Host " + want + ", not " + got)
	}
}

// left checks that a request left main for a fitting worker, where there is one and the documentation allows it.
func (j *judge) left(r request, by string, able []string, fail func(string)) {
	var fitting []string
	for _, part := range r.documented {
		names := j.fit[part]
		if stream, ok := strings.CutPrefix(string(part), "stream "); ok {
			names = j.writers[topology.Stream(stream)]
		}
		for _, name := range names {
			if slices.Contains(able, name) && !slices.Contains(fitting, name) {
				fitting = append(fitting, name)
			}
		}
	}
	syncers := j.syncers(r)
	switch {
	case len(syncers) > 0 && !slices.Contains(syncers, by):
		fail("one of " + strings.Join(syncers, " "))
	case by != topology.MainName:
		j.count("on workers")
	case len(fitting) > 0:
		fail("one of " + strings.Join(fitting, " "))
	default:
		j.count("on main")
	}
}

var (
	syncPath        = regexp.MustCompile(`^/_matrix/client/(?:api/v1|r0|v3|unstable)/(?:sync|events|initialSync|rooms/[^/]+/initialSync)$`)
	slidingSyncPath = regexp.MustCompile(`^/_matrix/client/unstable/org\.matrix\.simplified_msc3575/sync$`)
)

// syncers are the workers that a sync belongs to, where initial ones have workers apart; none for other requests. A sync is
// initial without since (sliding: pos), and with full_state.
func (j *judge) syncers(r request) []string {
	path := r.path()
	values, _ := url.ParseQuery(strings.TrimPrefix(strings.TrimPrefix(r.target, path), "?"))
	initial := false
	switch {
	case slidingSyncPath.MatchString(path):
		initial = values.Get("pos") == ""
	case syncPath.MatchString(path):
		initial = !strings.HasSuffix(path, "/events") && (values.Get("since") == "" || values.Get("full_state") == "true" || !strings.HasSuffix(path, "/sync"))
	default:
		return nil
	}
	if initial {
		return j.initial
	}
	return j.incremental
}
