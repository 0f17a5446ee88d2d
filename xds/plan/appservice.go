package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"axon/affinity"
	"axon/xds/topology"
)

// bridged is the group whose requests an appservice's own workers take: the events that a bridge sends in bursts
// (Synapse's workers.md advises workers of its own for them). Axon is asked about each of them, and about no others.
const bridged = EventCreator

// appserviceJobs are the groups that appservices have for themselves, in the order of their names.
func appserviceJobs(t *topology.Topology) []job {
	var all []job
	for _, a := range t.Appservices {
		j := job{group: GroupName(a.Group), resource: topology.Client, affinity: affinity.Room}
		if !slices.ContainsFunc(all, func(o job) bool { return o.group == j.group }) {
			all = append(all, j)
		}
	}
	slices.SortFunc(all, func(a, b job) int { return strings.Compare(string(a.group), string(b.group)) })
	return all
}

// appserviceGroups are the groups of appservices and all workers in them, which do nothing else unless they are named for
// it.
func appserviceGroups(t *topology.Topology, overrules map[string][]string, fault at) (groups []Group, taken []string, err error) {
	var faults []error
	for _, j := range appserviceJobs(t) {
		g, err := appserviceGroup(t, j, overrules, fault)
		faults = append(faults, err)
		g.Name, g.Fallback = j.group, fallback(t, j, g)
		groups, taken = append(groups, g), append(taken, g.Workers...)
	}
	return groups, taken, errors.Join(faults...)
}

// appserviceGroup is a group of an appservice's own. Its workers have to be named: nothing else could tell them.
func appserviceGroup(t *topology.Topology, j job, overrules map[string][]string, fault at) (Group, error) {
	var of []string
	for _, a := range t.Appservices {
		if GroupName(a.Group) == j.group {
			of = append(of, a.ID)
		}
	}
	if _, known := jobOf(j.group); known {
		return Group{}, fault(fmt.Sprintf("appservice %q: group %q has a job already; choose another name", of[0], j.group), "appservices", of[0], "group")
	}
	globs, ok := overrules[string(j.group)]
	if !ok || len(globs) == 0 {
		return Group{}, fault(fmt.Sprintf("appservice %q: group %q has no workers; name them under groups", of[0], j.group), "appservices", of[0], "group")
	}
	g, err := overrule(t, j, globs, fault)
	g.Reason = "for " + strings.Join(of, ", ")
	return g, err
}

// withAppservices puts, before each row of a bridged group, one for each group of an appservice.
func withAppservices(rows []row, own []job) []row {
	if len(own) == 0 {
		return rows
	}
	var all []row
	for _, r := range rows {
		if r.group == bridged {
			r.identify = true
			for _, j := range own {
				bridge := r
				bridge.name, bridge.group, bridge.appservice = r.name+"_"+string(j.group), j.group, j.group
				all = append(all, bridge)
			}
		}
		all = append(all, r)
	}
	return all
}
