package plan

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	"axon/xds/topology"
)

// overrule puts the workers that the administrator named into a group. Each glob must match a worker that can do the job.
func overrule(t *topology.Topology, j job, globs []string, fault at) (Group, error) {
	g := Group{Name: j.group, Reason: "groups." + string(j.group)}
	var faults []error
	for i, glob := range globs {
		names, err := matching(t, glob)
		if err != nil {
			faults = append(faults, fault(err.Error(), "groups", string(j.group), i))
		}
		for _, name := range names {
			if err := able(t, j, name); err != nil {
				faults = append(faults, fault(err.Error(), "groups", string(j.group), i))
			} else if name != topology.MainName && !slices.Contains(g.Workers, name) {
				g.Workers = append(g.Workers, name)
			}
		}
	}
	if j.single && len(g.Workers) > 1 {
		faults = append(faults, fault(fmt.Sprintf("group %q: one process must do it all, not %d", j.group, len(g.Workers)), "groups", string(j.group)))
	}
	return g, errors.Join(faults...)
}

// matching are the names of the processes that a glob matches, in the topology's order.
func matching(t *topology.Topology, glob string) ([]string, error) {
	var names []string
	for _, w := range append([]*topology.Worker{t.Main}, t.Workers...) {
		ok, err := path.Match(glob, w.Name)
		if err != nil {
			return nil, fmt.Errorf("glob %q: %w", glob, err)
		}
		if ok && (w != t.Main || glob == topology.MainName) {
			names = append(names, w.Name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("glob %q matches no worker; there are %s", glob, workerNames(t))
	}
	return names, nil
}

func workerNames(t *topology.Topology) string {
	names := []string{topology.MainName}
	for _, w := range t.Workers {
		names = append(names, w.Name)
	}
	return strings.Join(names, ", ")
}

// able says what keeps a process from doing a job.
func able(t *topology.Topology, j job, name string) error {
	w := t.Worker(name)
	stream := topology.Stream(j.group)
	switch {
	case !w.Serves(j.resource):
		return fmt.Errorf("group %q: worker %q has no listener with the resource %s", j.group, name, j.resource)
	case topology.Strict[stream] && !slices.Contains(t.StreamWriters[stream], name):
		return fmt.Errorf("group %q: %q is not among stream_writers.%s, and Synapse answers 500 anywhere else", j.group, name, stream)
	}
	return nil
}

// unknownGroups reports the keys of the groups section that name no group.
func unknownGroups(groups map[string][]string, own []Group, fault at) error {
	var faults []error
	for name := range groups {
		ownGroup := slices.ContainsFunc(own, func(g Group) bool { return string(g.Name) == name })
		if _, ok := jobOf(GroupName(name)); !ok && !ownGroup {
			faults = append(faults, fault(fmt.Sprintf("unknown group %q; groups are %s", name, groupNames()), "groups", name))
		}
	}
	sort.Slice(faults, func(i, k int) bool { return faults[i].Error() < faults[k].Error() })
	return errors.Join(faults...)
}

func jobOf(name GroupName) (job, bool) {
	for _, j := range slices.Concat(jobs, streams) {
		if j.group == name {
			return j, true
		}
	}
	return job{}, false
}

func groupNames() string {
	var names []string
	for _, j := range slices.Concat(jobs, streams) {
		names = append(names, string(j.group))
	}
	return strings.Join(names, ", ")
}
