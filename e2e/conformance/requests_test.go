package conformance

import (
	"strings"
	"testing"

	"axon/e2e/endpoints/table"
)

// request is one that a client sends.
type request struct {
	method, target string
	// documented are the parts of Synapse's documentation that let it leave main.
	documented []table.Part
}

// path is the target without its query.
func (r request) path() string {
	path, _, _ := strings.Cut(r.target, "?")
	return path
}

// queries are added to the first path of each endpoint, or, where they decide the route, to all paths.
var (
	queries     = []string{"?access_token=a%2Fb&x=%7E", "?"}
	syncQueries = []string{
		"?since=s1_2&timeout=30000", "?since=", "?full_state=true&since=s1", "?full_state=false&since=s1", "?filter=%7B%7D", "?pos=5", "?timeout=0&pos=5",
	}
)

// requests are concrete requests for all endpoints, each once.
func requests(t *testing.T, of *table.Table) []request {
	t.Helper()
	seen := map[string]bool{}
	var all []request
	add := func(method, target string) {
		if line := method + " " + target; !seen[line] {
			seen[line] = true
			r := request{method: method, target: target}
			r.documented = table.Documented(method, r.path())
			all = append(all, r)
		}
	}
	for _, e := range of.Endpoints {
		paths, err := table.Paths(e.Regex)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(e.Path, "/_matrix/federation/") { // only browsers ask beforehand
			add("OPTIONS", paths[0])
		}
		for i, path := range paths {
			for _, target := range targets(e, i, path) {
				add(e.Method, target)
				if e.Method == "GET" {
					add("HEAD", target)
				}
			}
		}
	}
	for _, version := range []string{"r0", "v3", "v1", "unstable", "vX"} { // the Matrix Authentication Service takes them all
		for _, path := range []string{"login", "logout", "logout/all", "refresh"} {
			add("POST", "/_matrix/client/"+version+"/"+path)
		}
		for _, path := range []string{"login", "login/sso/redirect", "login/sso/redirect/", "login/sso/redirect/oidc-a%2Fb?redirectUrl=x"} {
			add("GET", "/_matrix/client/"+version+"/"+path)
		}
	}
	return all
}

func targets(e table.Endpoint, i int, path string) []string {
	all := []string{path}
	if i == 0 {
		for _, query := range queries {
			all = append(all, path+query)
		}
	}
	for _, choice := range e.Axon {
		if choice.Query != "" {
			for _, query := range syncQueries {
				all = append(all, path+query)
			}
		}
	}
	return all
}
