package plan

import (
	"maps"
	"reflect"
	"slices"

	"axon/affinity"
	"axon/xds/topology"
)

// cluster gives the cluster for a row, and makes it when it is the first to need it. Rows of one group share a cluster as
// long as the same processes serve them under the same addresses.
func (b *builder) cluster(r row) Cluster {
	c := b.describe(r)
	if known, ok := b.clusters[c.Name]; ok && !reflect.DeepEqual(known, c) {
		c.Name += "_" + string(r.resource)
	}
	b.clusters[c.Name] = c
	return c
}

func (b *builder) describe(r row) Cluster {
	switch r.group {
	case DelegatedAuth:
		return b.serviceCluster(DelegatedAuth, b.t.DelegatedAuth)
	case MediaRepo:
		return b.serviceCluster(MediaRepo, b.t.MediaRepo)
	}
	j, ok := jobOf(r.group)
	if !ok { // an appservice's own
		j = job{group: r.group, resource: topology.Client, affinity: affinity.Room}
	}
	resource := r.resource
	if resource == "" {
		resource = j.resource
	}
	members := b.members(b.groups[r.group].Workers, resource)
	if len(members) == 0 {
		return b.mainFor(r.group, resource)
	}
	c := Cluster{Name: string(r.group), Members: members, Limit: b.limits.of(r.group)}
	if b.groups[r.group].Fallback != "" {
		c.Fallback = b.member(b.t.Main, resource)
	}
	if r.group == InitialSync {
		c.Stead = b.stead(members, b.members(b.groups[Sync].Workers, resource))
	}
	// One worker is hashed as well: its cluster must not change when a second one comes, or Envoy has the second before it has
	// the ring that says what is its.
	if r.affinity != "" || j.affinity != "" {
		c.Hashed = true
		if j.affinity == "" {
			c.Name = HashedClusterName(r.group)
		}
	}
	return c
}

// stead are those workers that may take over from the members of another group: none where they are among them.
func (b *builder) stead(members, workers []Member) []Member {
	return slices.DeleteFunc(workers, func(w Member) bool { return slices.Contains(members, w) })
}

// mainFor is main where it does a group's job. A group with limits of its own has a cluster of its own, in which they count.
func (b *builder) mainFor(g GroupName, resource topology.Resource) Cluster {
	c := b.mainCluster(resource)
	if own := b.limits.of(g); own != c.Limit {
		c.Name, c.Limit = string(g), own
	}
	return c
}

// mainCluster is main by its listener for the resource. Listeners apart from the one for clients are named for theirs.
func (b *builder) mainCluster(resource topology.Resource) Cluster {
	m := b.member(b.t.Main, resource)
	clients := b.member(b.t.Main, topology.Client)
	if m == nil {
		m = clients // main says why it does not serve it, better than a bare 503
	}
	if m == nil {
		m = &Member{Name: topology.MainName, Address: b.t.Main.Listeners[0].Address}
	}
	name := string(Main)
	if clients != nil && *m != *clients {
		name = ResourceClusterName(Main, resource)
	}
	return Cluster{Name: name, Members: []Member{*m}, Limit: b.limits.of(Main)}
}

func (b *builder) serviceCluster(name GroupName, s *topology.Service) Cluster {
	return Cluster{Name: string(name), Members: []Member{{Name: string(name), Address: s.Address}}, TLS: s.TLS, Limit: b.limits.of(name)}
}

func (b *builder) members(names []string, r topology.Resource) []Member {
	var members []Member
	for _, name := range names {
		if m := b.member(b.t.Worker(name), r); m != nil {
			members = append(members, *m)
		}
	}
	return members
}

// member is a worker by its listener for the resource, nil where it has none.
func (b *builder) member(w *topology.Worker, r topology.Resource) *Member {
	if r == "" {
		r = topology.Client
	}
	l, ok := w.Listener(r)
	if !ok {
		return nil
	}
	return &Member{Name: w.Name, Address: l.Address}
}

func (b *builder) sorted() []Cluster {
	var all []Cluster
	for _, name := range slices.Sorted(maps.Keys(b.clusters)) {
		all = append(all, b.clusters[name])
	}
	return all
}
