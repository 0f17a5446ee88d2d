package conformance

import (
	"strings"
	"testing"

	"axon/xds/topology"
)

// serverName is in the users' IDs, clientHost what clients connect to.
const (
	serverName = "example.org"
	clientHost = "matrix.example.org"
)

// start starts the stand-ins of a deployment and gives the topology that Axon has of it.
func (d deployment) start(t *testing.T, s *synapse) *topology.Topology {
	t.Helper()
	standIns := map[string]*standIn{topology.MainName: listen(t, d.unix)}
	section := topology.Section{ServerName: serverName, Main: standIns[topology.MainName].address, StreamWriters: map[string]topology.StringOrList{}}
	for _, worker := range d.workers {
		name, resources, _ := strings.Cut(worker, " ")
		standIns[name] = listen(t, d.unix)
		c := topology.WorkerConfig{Name: name, Address: standIns[name].address}
		if resources != "" {
			c.Resources = strings.Split(resources, ",")
		}
		section.Workers = append(section.Workers, c)
	}
	for stream, names := range d.writers {
		section.StreamWriters[string(stream)] = names
	}
	d.startServices(t, &section)
	topo, err := topology.Build(topology.Config{Topology: section}, nil, topology.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range append([]*topology.Worker{topo.Main}, topo.Workers...) {
		of := []*standIn{standIns[w.Name]}
		if d.apart {
			of = separate(t, w)
		}
		p := newProcess(s, topo, w)
		for i, resources := range p.listeners {
			of[i].handler = p.serve(resources)
		}
	}
	return topo
}

// startServices starts what stands beside Synapse.
func (d deployment) startServices(t *testing.T, section *topology.Section) {
	t.Helper()
	if d.delegated {
		mas := listen(t, d.unix)
		mas.handler = serveMAS
		section.DelegatedAuth = &topology.ServiceConfig{Address: mas.address}
	}
	if d.mediaRepo {
		repo := listen(t, d.unix)
		repo.handler = serveMediaRepo
		section.MediaRepo = &topology.ServiceConfig{Address: repo.address, ForwardedHost: d.forwarded}
	}
}

// separate gives a worker a listener for each resource that it has.
func separate(t *testing.T, w *topology.Worker) (standIns []*standIn) {
	t.Helper()
	var listeners []topology.Listener
	for _, r := range w.Listeners[0].Resources {
		s := listen(t, false)
		address, err := topology.ParseAddress(s.address)
		if err != nil {
			t.Fatal(err)
		}
		standIns = append(standIns, s)
		listeners = append(listeners, topology.Listener{Address: address, Resources: []topology.Resource{r}})
	}
	w.Listeners = listeners
	return standIns
}
