package table

import (
	"cmp"
	"slices"
)

const about = "The endpoints of Synapse, the processes that serve them, and where Axon sends them. Made by `make endpoints`, explained in endpoints.md."

// Complete adds what Synapse does not say: paths, streams, what is documented, and where Axon's plan sends requests.
func (t *Table) Complete() error {
	p, err := references()
	if err != nil {
		return err
	}
	t.About = about
	for i := range t.Endpoints {
		if err := t.Endpoints[i].complete(p); err != nil {
			return err
		}
	}
	slices.SortFunc(t.Endpoints, func(a, b Endpoint) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method)) })
	return nil
}

func (e *Endpoint) complete(p plans) (err error) {
	paths, err := Paths(e.Regex)
	if err != nil {
		return err
	}
	if e.Examples, err = Examples(e.Regex); err != nil {
		return err
	}
	e.Path = Readable(e.Regex)
	e.Stream, e.Writer = writerOf(*e)
	e.Axon = p.choices(*e)
	e.Documented = []Part{}
	for _, path := range paths {
		for _, part := range Documented(e.Method, path) {
			if !slices.Contains(e.Documented, part) {
				e.Documented = append(e.Documented, part)
			}
		}
	}
	slices.Sort(e.Documented)
	return nil
}
