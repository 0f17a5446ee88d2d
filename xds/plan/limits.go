package plan

import (
	"errors"
	"fmt"
	"slices"
	"sort"
)

// Limit bounds what is asked of the processes of a group at one time. A zero field is as good as no bound.
type Limit struct {
	// Requests are those that each process works on at once, counted by each Envoy for itself.
	Requests uint32 `yaml:"requests,omitempty"`
	// Queue is how many requests to the group may wait for their turn; those beyond it are answered 429.
	Queue uint32 `yaml:"queue,omitempty"`
	// Retries are those under way in the group at once.
	Retries uint32 `yaml:"retries,omitempty"`
}

// LimitConfig is what axon.yaml says of a group's limits; nil where it says nothing.
type LimitConfig struct {
	Requests *uint32 `yaml:"requests"`
	Queue    *uint32 `yaml:"queue"`
	Retries  *uint32 `yaml:"retries"`
}

// Limits are the limits section of axon.yaml: the name of a group, or defaultLimits for all that say nothing themselves.
type Limits map[string]LimitConfig

const (
	defaultLimits = "default"
	maxLimit      = 100_000
)

// builtIn are the limits of groups that have some though nobody says so. An initial sync keeps a process and the database
// busy for as long as many incremental ones together: a storm of them waits for its turn, or everything else would.
// docs/reliability.md has the measurement behind the number.
var builtIn = Limits{string(InitialSync): {Requests: ptr(2), Queue: ptr(1000)}}

func ptr(n uint32) *uint32 { return &n }

// of are the limits of a group: what it says itself, what it has built in, what is said for all.
func (ls Limits) of(g GroupName) Limit {
	var l Limit
	for _, c := range []LimitConfig{ls[defaultLimits], builtIn[string(g)], ls[string(g)]} {
		set(&l.Requests, c.Requests)
		set(&l.Queue, c.Queue)
		set(&l.Retries, c.Retries)
	}
	return l
}

func set(to, from *uint32) {
	if from != nil {
		*to = *from
	}
}

// validate reports limits out of bounds.
func (ls Limits) validate(fault at) error {
	var faults []error
	for name, c := range ls {
		for key, value := range map[string]*uint32{"requests": c.Requests, "queue": c.Queue, "retries": c.Retries} {
			if value != nil && (*value < 1 || *value > maxLimit) {
				faults = append(faults, fault(fmt.Sprintf("limits.%s.%s: must be from 1 to %d", name, key, maxLimit), "limits", name, key))
			}
		}
	}
	return errors.Join(sorted(faults)...)
}

// unknown reports the keys that name no group.
func (ls Limits) unknown(groups []Group, fault at) error {
	var faults []error
	for name := range ls {
		there := slices.ContainsFunc(groups, func(g Group) bool { return string(g.Name) == name })
		if !there && !slices.Contains([]string{defaultLimits, string(DelegatedAuth), string(MediaRepo)}, name) {
			faults = append(faults, fault(fmt.Sprintf("limits: unknown group %q; there are %s, %s, %s, %s, %s", name, defaultLimits, groupNames(), Main, DelegatedAuth, MediaRepo), "limits", name))
		}
	}
	return errors.Join(sorted(faults)...)
}

// sorted puts the faults that a map gives in any order into one.
func sorted(faults []error) []error {
	sort.Slice(faults, func(i, k int) bool { return faults[i].Error() < faults[k].Error() })
	return faults
}
