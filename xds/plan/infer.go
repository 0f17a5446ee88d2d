package plan

import (
	"fmt"
	"slices"
	"strings"

	"axon/xds/topology"
)

// inference finds the workers of each group where the administrator did not say.
type inference struct {
	t *topology.Topology
	// named are the workers whose names speak of a job, by group; those under generic are named for none.
	named map[GroupName][]*topology.Worker
}

// newInference leaves out the workers that appservices have for themselves.
func newInference(t *topology.Topology, taken []string) *inference {
	in := &inference{t: t, named: map[GroupName][]*topology.Worker{}}
	for _, w := range t.Workers {
		if slices.Contains(taken, w.Name) {
			continue
		}
		for _, group := range in.jobsOf(w) {
			in.named[group] = append(in.named[group], w)
		}
	}
	return in
}

// jobsOf says what a worker is for: what its name says; nothing but its streams for a writer that is not named for more;
// everything otherwise.
func (in *inference) jobsOf(w *topology.Worker) []GroupName {
	c := callingOf(w)
	switch {
	case c.background:
		return nil
	case w.Name == in.t.UserDirectoryWorker && len(c.groups) == 0:
		return []GroupName{UserDirectory}
	case len(c.groups) > 0:
		return c.groups
	case len(in.writes(w)) > 0 && !isNeutral(w.Name), in.t.Background[w.Name] != "" && !isNeutral(w.Name):
		return nil
	default:
		return []GroupName{generic}
	}
}

// writes are the streams that the worker writes.
func (in *inference) writes(w *topology.Worker) []topology.Stream {
	var streams []topology.Stream
	for _, stream := range topology.Streams {
		if slices.Contains(in.t.StreamWriters[stream], w.Name) {
			streams = append(streams, stream)
		}
	}
	return streams
}

// job finds the workers of a group: those named for it, else those of the first stead that has any, else main.
func (in *inference) job(j job) Group {
	g := Group{Name: j.group}
	for _, stead := range append([]GroupName{j.group}, j.stead...) {
		if g.Workers = in.serving(stead, j.resource); len(g.Workers) > 0 {
			g.Reason = because(j.group, stead)
			break
		}
	}
	if j.single && len(g.Workers) > 1 {
		g.Reason += "; one process must do it all, so the first of them"
		g.Workers = g.Workers[:1]
	}
	if len(g.Workers) == 0 {
		g.Reason = "main: no worker is named for it or free to share it"
	}
	return g
}

func because(group, stead GroupName) string {
	switch stead {
	case group:
		return "named for it"
	case generic:
		return "generic workers share what no other worker is named for"
	default:
		return fmt.Sprintf("no worker is named for it; the workers named for %s do it", stead)
	}
}

// serving are the names of those workers called to a group that have a listener for the resource.
func (in *inference) serving(group GroupName, r topology.Resource) []string {
	candidates := in.named[group]
	if group == Media {
		candidates = in.t.Workers // what a listener says of media counts, whatever the name
	}
	var names []string
	for _, w := range candidates {
		if w.Serves(r) && !callingOf(w).background {
			names = append(names, w.Name)
		}
	}
	return names
}

// stream finds the writers of a stream that clients can be sent to. Where main writes, the stead does it, if there is one.
func (in *inference) stream(j job, steads map[GroupName]Group) Group {
	writers := in.t.StreamWriters[topology.Stream(j.group)]
	g := Group{Name: j.group}
	for _, name := range writers {
		if w := in.t.Worker(name); name != topology.MainName && w != nil && w.Serves(j.resource) {
			g.Workers = append(g.Workers, name)
		}
	}
	switch {
	case len(g.Workers) > 0:
		g.Reason = "stream_writers." + string(j.group)
	case !slices.Contains(writers, topology.MainName):
		g.Reason = fmt.Sprintf("main: the writer (%s) has no listener for clients", strings.Join(writers, ", "))
	case len(j.stead) > 0 && len(steads[j.stead[0]].Workers) > 0:
		g.Workers = steads[j.stead[0]].Workers
		g.Reason = fmt.Sprintf("main writes the stream; any worker takes the requests, so those of %s do", j.stead[0])
	default:
		g.Reason = "main writes the stream"
	}
	return g
}
