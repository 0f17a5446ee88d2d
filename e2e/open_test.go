package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"axon/e2e/synapse"
	"axon/xds/plan"
	"axon/xds/topology"
)

// judged are open though Synapse asks for a user, because it is to judge for itself: locked and expired users may log out
// and renew, its directory is for everybody where its configuration says so, and its admin API has other guards.
var judged = []string{"/logout", "/account_validity/send_mail", "/publicRooms", "/directory/list/room/", "/_synapse/admin/"}

// TestWhatNeedsAUser asks a real Synapse for every path of the route table, without a token: what it serves must be open
// under identity.enforce, and what it refuses must not.
func TestWhatNeedsAUser(t *testing.T) {
	hs := synapse.Start(t, synapse.Options{})
	asked, refused := 0, 0
	for _, r := range everyRequest(t, hs) {
		status, errcode := withoutToken(t, hs.URL, r)
		if status == http.StatusNotFound && errcode == "M_UNRECOGNIZED" || status == http.StatusMethodNotAllowed {
			continue // not a path of Synapse's
		}
		if status == http.StatusBadRequest {
			continue // something is wrong that it looks at before the token
		}
		asked++
		missing := errcode == "M_MISSING_TOKEN"
		if missing {
			refused++
		}
		byItself := slices.ContainsFunc(judged, func(part string) bool { return strings.Contains(r.Path, part) })
		if need := plan.NeedsUser(r.Method, r.Path); need && !missing || !need && missing && !byItself {
			t.Errorf("%s %s: Synapse answers %d %s, and a user is needed: %v", r.Method, r.Path, status, errcode, need)
		}
	}
	t.Logf("of %d requests %d were refused", asked, refused)
	if asked < 200 || refused < 100 {
		t.Error("too few to mean anything")
	}
}

// everyRequest has every method on samples of every path of a plan.
func everyRequest(t *testing.T, hs *synapse.Homeserver) []plan.Request {
	t.Helper()
	topo, err := topology.Load(topology.Config{Synapse: topology.SynapseConfig{Config: []string{hs.ConfigPath}}}, nil, hs.Dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Build(topo, plan.Config{Listeners: []plan.ListenerConfig{{Address: "127.0.0.1:1"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []plan.Request
	for _, route := range p.Routes {
		for _, template := range slices.Concat(route.Paths, route.Open) {
			for _, path := range samplePaths(template.String()) {
				for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
					if r := (plan.Request{Method: method, Path: path}); !slices.Contains(all, r) {
						all = append(all, r)
					}
				}
			}
		}
	}
	return all
}

// samplePaths are paths of a template: every choice of its braces, with something for each star.
func samplePaths(template string) []string {
	before, rest, found := strings.Cut(template, "{")
	if !found {
		return []string{strings.NewReplacer("**", "x/y", "*", "!a:b.c").Replace(template)}
	}
	choices, after, _ := strings.Cut(rest, "}")
	var all []string
	for choice := range strings.SplitSeq(choices, ",") {
		all = append(all, samplePaths(before+choice+after)...)
	}
	return all
}

func withoutToken(t *testing.T, url string, r plan.Request) (status int, errcode string) {
	t.Helper()
	var body io.Reader
	if r.Method != http.MethodGet {
		body = strings.NewReader("{}")
	}
	request, err := http.NewRequestWithContext(t.Context(), r.Method, url+r.Path, body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		ErrCode string `json:"errcode"`
	}
	_ = json.NewDecoder(response.Body).Decode(&answer) // HTML has none
	return response.StatusCode, answer.ErrCode
}
