package table

import (
	"fmt"

	"axon/xds/plan"
	"axon/xds/topology"
)

// reference is a plan in which every group has workers of its own, two wherever there may be more than one: so each
// route shows its group and its affinity.
func reference(delegated bool) (*plan.Plan, error) {
	section := topology.Section{ServerName: "example.org", Main: "127.0.0.1:8000", StreamWriters: map[string]topology.StringOrList{}}
	add := func(name string, resources ...string) string {
		address := fmt.Sprintf("127.0.0.1:%d", 8001+len(section.Workers))
		section.Workers = append(section.Workers, topology.WorkerConfig{Name: name, Address: address, Resources: resources})
		return name
	}
	for _, group := range []string{
		"sync", "initial-sync", "client-reader", "event-creator", "login", "federation-inbound", "federation-reader", "user-directory",
	} {
		add(group+"-1", "client", "federation")
		add(group+"-2", "client", "federation")
	}
	add("sso-1", "client")
	add("media-1", "media")
	add("media-2", "media")
	for _, stream := range topology.Streams {
		name := "writer-" + string(stream)
		resources := []string{"client"}
		if stream == topology.QuarantinedMediaChanges {
			name, resources = "quarantine", []string{"media"}
		}
		writers := topology.StringOrList{add(name+"-1", resources...)}
		if !topology.SingleWriter[stream] {
			writers = append(writers, add(name+"-2", resources...))
		}
		section.StreamWriters[string(stream)] = writers
	}
	if delegated {
		section.DelegatedAuth = &topology.ServiceConfig{Address: "127.0.0.1:7999"}
	}
	t, err := topology.Build(topology.Config{Topology: section}, nil, topology.Sources{})
	if err != nil {
		return nil, err
	}
	return plan.Build(t, plan.Config{Listeners: []plan.ListenerConfig{{Address: "127.0.0.1:7998"}}}, nil)
}
