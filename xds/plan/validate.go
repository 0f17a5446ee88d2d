package plan

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"axon/affinity"
	"axon/xds/topology"
)

// Validate checks what Envoy would not: that every route leads somewhere, and that the last one takes what is left. The
// error joins every fault.
func (p *Plan) Validate() error {
	faults := []error{p.validateRoutes(p.Routes)}
	for _, h := range p.VirtualHosts {
		faults = append(faults, p.validateRoutes(h.Routes))
	}
	for _, c := range p.Clusters {
		if len(c.Members) == 0 {
			faults = append(faults, fmt.Errorf("cluster %q: no members", c.Name))
		}
	}
	return errors.Join(faults...)
}

func (p *Plan) validateRoutes(routes []Route) error {
	var faults []error
	names := map[string]bool{}
	for _, r := range routes {
		if names[r.Name] {
			faults = append(faults, fmt.Errorf("route %q: stands in the plan twice", r.Name))
		}
		names[r.Name] = true
		faults = append(faults, p.validateRoute(r))
	}
	if last := routes[len(routes)-1]; len(last.Methods) > 0 || last.Query != nil || !last.Paths[0].Match("/") {
		faults = append(faults, fmt.Errorf("route %q: the last route must take everything", last.Name))
	}
	return errors.Join(faults...)
}

func (p *Plan) validateRoute(r Route) error {
	cluster, known := p.Cluster(r.Cluster)
	switch {
	case r.Status != 0:
		return nil
	case !known:
		return fmt.Errorf("route %q: unknown cluster %q", r.Name, r.Cluster)
	case r.Affinity != affinity.None && !cluster.Hashed:
		return fmt.Errorf("route %q: affinity %s on cluster %q, which is not hashed", r.Name, r.Affinity, r.Cluster)
	}
	return nil
}

// clashes reports listeners whose address a Synapse process has already.
func clashes(t *topology.Topology, listeners []Listener, fault at) error {
	var faults []error
	for i, l := range listeners {
		for _, w := range append([]*topology.Worker{t.Main}, t.Workers...) {
			if slices.ContainsFunc(w.Listeners, func(wl topology.Listener) bool { return clash(l.Address, wl.Address) }) {
				faults = append(faults, fault(fmt.Sprintf("listener %q: %q listens there; choose another port", l.Address, w.Name), "listeners", i, "address"))
			}
		}
	}
	return errors.Join(faults...)
}

// clash says whether a listener of this machine takes the same port as a worker's address does. Only a loopback address
// is surely on this machine.
func clash(listener, worker topology.Address) bool {
	host, err := netip.ParseAddr(worker.Host)
	if err != nil || listener.Port != worker.Port || !host.IsLoopback() {
		return false
	}
	own, err := netip.ParseAddr(listener.Host)
	return err == nil && (own.IsUnspecified() || own == host)
}
