package plan

import "slices"

// Drain gives the plan with exactly the named workers drained. They stay in their clusters, so that no ring is built anew
// around them and Envoy goes on to wait for what they have under way. The plan itself stays as it is.
func (p *Plan) Drain(names []string) *Plan {
	drained := *p
	drained.Clusters = slices.Clone(p.Clusters)
	for i := range drained.Clusters {
		c := &drained.Clusters[i]
		c.Members, c.Stead = drainedAmong(c.Members, names), drainedAmong(c.Stead, names)
	}
	return &drained
}

func drainedAmong(members []Member, names []string) []Member {
	members = slices.Clone(members)
	for k := range members {
		members[k].Drained = slices.Contains(names, members[k].Name)
	}
	return members
}

// Drained says whether a worker is drained in the clusters that it is in.
func (p *Plan) Drained(worker string) bool {
	return slices.ContainsFunc(p.Clusters, func(c Cluster) bool {
		return slices.ContainsFunc(c.Members, func(m Member) bool { return m.Name == worker && m.Drained })
	})
}

// Live are the members that get requests: those that are not drained.
func (c Cluster) Live() []Member {
	return slices.DeleteFunc(slices.Clone(c.Members), func(m Member) bool { return m.Drained })
}

// Unserved are the groups, sorted, with requests that no process would serve any more: all that may are drained.
func (p *Plan) Unserved() []GroupName {
	var unserved []GroupName
	for _, r := range p.everyRoute() {
		if c, ok := p.Cluster(r.Cluster); ok && c.Fallback == nil && len(c.Live()) == 0 {
			unserved = append(unserved, r.Group)
		}
	}
	slices.Sort(unserved)
	return slices.Compact(unserved)
}

func (p *Plan) everyRoute() []Route {
	all := slices.Clone(p.Routes)
	for _, h := range p.VirtualHosts {
		all = append(all, h.Routes...)
	}
	return all
}
