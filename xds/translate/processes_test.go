package translate

import "axon/xds/topology"

// processes is a homeserver of processes that serve clients only, and live where at says; "main", one of the names, writes all
// streams.
func processes(at func(name string) topology.Address, names ...string) *topology.Topology {
	topo := &topology.Topology{ServerName: "example.org", StreamWriters: map[topology.Stream][]string{}}
	for _, name := range names {
		w := &topology.Worker{Name: name, Listeners: []topology.Listener{{Address: at(name), Resources: []topology.Resource{topology.Client}}}}
		if name == "main" {
			topo.Main = w
		} else {
			topo.Workers = append(topo.Workers, w)
		}
	}
	for _, stream := range topology.Streams {
		topo.StreamWriters[stream] = []string{"main"}
	}
	return topo
}
