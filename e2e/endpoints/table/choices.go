package table

import (
	"cmp"
	"slices"

	"axon/xds/plan"
)

// plans are the reference without and with delegated authentication.
type plans struct{ native, delegated *plan.Plan }

func references() (p plans, err error) {
	if p.native, err = reference(false); err != nil {
		return p, err
	}
	p.delegated, err = reference(true)
	return p, err
}

// choices are where the plans send an endpoint's requests. The delegated one counts where it differs, or alone where
// Synapse serves the endpoint only then.
func (p plans) choices(e Endpoint) []Choice {
	if len(e.Native) == 0 {
		return choices(p.delegated, e)
	}
	all := choices(p.native, e)
	for _, c := range choices(p.delegated, e) {
		if !slices.ContainsFunc(all, func(o Choice) bool { return c.Route == o.Route && c.Query == o.Query }) {
			c.Delegated = true
			all = append(all, c)
		}
	}
	return all
}

func choices(p *plan.Plan, e Endpoint) (all []Choice) {
	for _, path := range e.Examples {
		for _, r := range possible(p, e.Method, path) {
			if !slices.ContainsFunc(all, func(o Choice) bool { return r.Name == o.Route }) {
				all = append(all, Choice{Route: r.Name, Group: string(r.Group), Affinity: string(r.Affinity), Query: query(r.Query), Example: path})
			}
		}
	}
	return all
}

// possible are the routes that a path can take, depending on its query, in the order in which the plan tries them.
func possible(p *plan.Plan, method, path string) (taken []plan.Route) {
	found := map[string]bool{p.Match(plan.Request{Method: method, Path: path, Admin: true}).Name: true}
	for _, r := range p.Routes {
		if r.Query != nil {
			value := cmp.Or(r.Query.Value, "x")
			found[p.Match(plan.Request{Method: method, Path: path + "?" + r.Query.Name + "=" + value, Admin: true}).Name] = true
		}
	}
	for _, r := range p.Routes {
		if found[r.Name] {
			taken = append(taken, r)
		}
	}
	return taken
}

// query writes a condition: "since" for any value but an empty one, "full_state=true" for this one.
func query(q *plan.Query) string {
	switch {
	case q == nil:
		return ""
	case q.Value == "":
		return q.Name
	default:
		return q.Name + "=" + q.Value
	}
}
