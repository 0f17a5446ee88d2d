package plan

import (
	"slices"
	"strings"
	"sync"
)

// NeedsUser says whether Synapse refuses a request without a user's access token, or that of an appservice. target is the
// raw path and query. It is false for what Synapse serves to whoever asks, for what it judges itself (logins, federation,
// its admin API), and for paths that it does not have.
//
// It does not depend on a plan: gateways ask about any request, and the paths of Synapse are the same for all.
func NeedsUser(method, target string) bool {
	if method == "OPTIONS" { // a preflight carries no token
		return false
	}
	r := Request{Method: method, Path: target}
	routes := everything()
	i := slices.IndexFunc(routes, func(route Route) bool { return route.matches(r) })
	return i >= 0 && !routes[i].IsOpen(target)
}

// IsOpen says whether the route's requests to target, a path that may have a query, need no user.
func (r Route) IsOpen(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	return slices.ContainsFunc(r.Open, func(t Template) bool { return t.Match(path) })
}

// everything is the route table without a deployment.
var everything = sync.OnceValue(func() []Route {
	var all []Route
	for _, r := range table {
		paths, open, err := r.templates()
		if err != nil {
			panic(err) // a fault in the table, which every test would show
		}
		all = append(all, Route{Name: r.name, Methods: r.methods, Query: r.query, Paths: paths, Open: open})
	}
	return all
})

// templates are a row's paths, and those among them that are open.
func (r row) templates() (paths, open []Template, err error) {
	if paths, err = templatesOf(r.paths); err != nil {
		return nil, nil, err
	}
	if slices.Equal(r.open, anything) {
		return paths, paths, nil
	}
	open, err = templatesOf(r.open)
	return paths, open, err
}

func templatesOf(texts []string) ([]Template, error) {
	var all []Template
	for _, text := range texts {
		t, err := ParseTemplate(text)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}
