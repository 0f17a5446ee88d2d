package plan

import (
	"errors"
	"slices"

	"axon/affinity"
	"axon/xds/topology"
	"axon/yamlfile"
)

// Build makes the plan for a topology. file is the axon.yaml that config came from, for the positions of faults; nil
// where there is none. The error joins every fault.
func Build(t *topology.Topology, config Config, file *yamlfile.File) (*Plan, error) {
	fault := faultsAt(file)
	p := &Plan{ServerName: t.ServerName}
	var errs [10]error
	p.Balance, errs[0] = config.balance(fault)
	p.Listeners, errs[1] = config.listeners(fault)
	p.Groups, errs[2] = groups(t, config.Groups, fault)
	errs[3] = clashes(t, p.Listeners, fault)
	errs[4] = config.virtualHosts(t, fault)
	errs[5] = config.WellKnown.validate(fault)
	p.BoundedLoad, errs[6] = config.boundedLoad(fault)
	p.Health, errs[7] = config.Health.health(fault)
	errs[8] = config.Limits.validate(fault)
	errs[9] = config.Limits.unknown(p.Groups, fault)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	own := appserviceJobs(t)
	b := &builder{t: t, limits: config.Limits, groups: map[GroupName]Group{}, clusters: map[string]Cluster{}}
	for _, g := range p.Groups {
		b.groups[g.Name] = g
	}
	var routesErr, hostsErr error
	p.Routes, routesErr = b.routes(slices.Concat(config.WellKnown.rows(), services(t), withAppservices(table, own), leftovers))
	p.VirtualHosts, hostsErr = b.hosts(config)
	if err := errors.Join(routesErr, hostsErr); err != nil {
		return nil, err
	}
	p.Clusters = b.sorted()
	return p, p.Validate()
}

// services are the rows for what stands beside Synapse.
func services(t *topology.Topology) (rows []row) {
	if t.DelegatedAuth != nil {
		rows = append(rows, delegatedTable...)
	}
	if t.MediaRepo != nil {
		rows = append(rows, mediaRepoTable...)
	}
	return rows
}

// groups finds the workers of every group.
func groups(t *topology.Topology, overrules map[string][]string, fault at) ([]Group, error) {
	own, taken, err := appserviceGroups(t, overrules, fault)
	faults := []error{unknownGroups(overrules, own, fault), err}
	in := newInference(t, taken)
	byName := map[GroupName]Group{}
	var all []Group
	add := func(j job, infer func() Group) {
		g := Group{}
		if globs, ok := overrules[string(j.group)]; ok {
			var err error
			g, err = overrule(t, j, globs, fault)
			faults = append(faults, err)
		} else {
			g = infer()
		}
		g.Fallback = fallback(t, j, g)
		byName[j.group] = g
		all = append(all, g)
	}
	for _, j := range jobs {
		add(j, func() Group { return in.job(j) })
	}
	for _, j := range streams {
		add(j, func() Group { return in.stream(j, byName) })
	}
	return slices.Concat(all, own, []Group{{Name: Main, Reason: "everything else"}}), errors.Join(faults...)
}

// fallback is main where it may take over from a group's workers: where it serves the resource. It never does for a
// strict stream, nor for media: what it stored, or failed to find, on its own disk would be worse than an error.
func fallback(t *topology.Topology, j job, g Group) string {
	strict := topology.Strict[topology.Stream(j.group)] || j.group == Media
	if len(g.Workers) == 0 || strict || !t.Main.Serves(j.resource) {
		return ""
	}
	return topology.MainName
}

// builder makes routes, and the clusters that they need.
type builder struct {
	t        *topology.Topology
	limits   Limits
	groups   map[GroupName]Group
	clusters map[string]Cluster
}

func (b *builder) routes(rows []row) ([]Route, error) {
	var all []Route
	for _, r := range rows {
		route, err := b.route(r)
		if err != nil {
			return nil, err
		}
		all = append(all, route)
	}
	return all, nil
}

func (b *builder) route(r row) (Route, error) {
	route := Route{Name: r.name, Methods: r.methods, Query: r.query, Group: r.group, Affinity: affinity.None, Pace: r.pace, Admin: r.admin, Mended: r.mended, Identify: r.identify, Appservice: r.appservice, Learn: r.learn, Status: r.status, Reply: r.reply}
	var err error
	if route.Paths, route.Open, err = r.templates(); err != nil {
		return route, err
	}
	if r.status != 0 {
		return route, nil
	}
	cluster := b.cluster(r)
	if cluster.Hashed && r.affinity != "" {
		route.Affinity = r.affinity
		route.Identify = r.identify || r.affinity == affinity.User && len(cluster.Members)+len(cluster.Stead) > 1
	}
	if r.group == MediaRepo {
		route.Host, route.ForwardHost = b.mediaRepoHost()
	}
	route.Cluster = cluster.Name
	return route, nil
}

// mediaRepoHost says by which header matrix-media-repo learns the homeserver that it serves: whatever host name the client
// used, it must be the server name.
func (b *builder) mediaRepoHost() (host, forwarded string) {
	if b.t.MediaRepo.ForwardedHost {
		return "", b.t.ServerName
	}
	return b.t.ServerName, ""
}
