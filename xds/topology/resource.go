package topology

import (
	"fmt"
	"slices"
	"strings"
)

// routed are the resources that a client or a remote server may need, in the order in which they are shown.
var routed = []Resource{Client, Federation, Media, Keys}

// internal are the others of Synapse's KNOWN_RESOURCES (config/server.py). Consent and static are pages of main's, which
// serves them beside client.
var internal = []string{"consent", "health", "metrics", "openid", "replication", "static"}

// resources gives what a listener serves that is routed. Keys come with federation. Media needs the media repository;
// with it, main serves media wherever it serves client or federation, and a worker only where media is listed
// (app/homeserver.py and app/generic_worker.py).
func (p process) resources(i int, l listenerConfig) (list []Resource, faults []error) {
	if l.Type != "http" {
		return nil, nil
	}
	for r, res := range l.Resources {
		for n, name := range res.Names {
			switch {
			case slices.Contains(routed, Resource(name)):
				list = append(list, Resource(name))
			case !slices.Contains(internal, name):
				faults = append(faults, p.fault([]any{i, "resources", r, "names", n}, "unknown resource %q; Synapse has %s",
					name, allResources()))
			}
		}
	}
	return implied(list, p.main, p.mediaRepo), faults
}

func implied(list []Resource, main, mediaRepo bool) []Resource {
	if slices.Contains(list, Federation) {
		list = append(list, Keys)
	}
	if main && (slices.Contains(list, Client) || slices.Contains(list, Federation)) {
		list = append(list, Media)
	}
	if !mediaRepo {
		list = slices.DeleteFunc(list, func(r Resource) bool { return r == Media })
	}
	return union(nil, list)
}

// union gives the resources of both lists once each, in the order in which they are shown.
func union(a, b []Resource) (list []Resource) {
	for _, r := range routed {
		if slices.Contains(a, r) || slices.Contains(b, r) {
			list = append(list, r)
		}
	}
	return list
}

func allResources() string {
	names := slices.Clone(internal)
	for _, r := range routed {
		names = append(names, string(r))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// parseResources reads the resources of a worker in the topology section.
func parseResources(names []string) (list []Resource, err error) {
	for _, name := range names {
		if !slices.Contains(routed, Resource(name)) {
			return nil, fmt.Errorf("unknown resource %q; use client, federation, media and keys", name)
		}
		list = append(list, Resource(name))
	}
	return union(nil, list), nil
}
