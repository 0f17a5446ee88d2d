package conformance

import (
	"slices"
	"strings"

	"axon/e2e/endpoints/table"
	"axon/xds/topology"
)

// deployment is a homeserver to be routed for.
type deployment struct {
	// workers are names with their listener's resources: "media-1 client,media". None: client and federation.
	workers []string
	// writers are the streams that main does not write.
	writers map[topology.Stream][]string
	// unix puts every process on a socket; apart gives it a listener for each of its resources.
	unix, apart bool
	// delegated is a Matrix Authentication Service, mediaRepo a matrix-media-repo beside Synapse.
	delegated, mediaRepo bool
	// forwarded tells that matrix-media-repo its homeserver by X-Forwarded-Host.
	forwarded bool
	// fit are the workers that a part of Synapse's documentation should find: those named for it, or generic ones.
	// What Axon infers has no say here. A stream's part finds its writers.
	fit map[table.Part][]string
	// initial and incremental are the workers apart for initial syncs, and those for all others; none: it does not matter.
	initial, incremental []string
}

// generic are the parts that any generic worker can do.
var generic = []table.Part{
	table.DocSync, table.DocFederation, table.DocInbound, table.DocClient, table.DocAdmin, table.DocEncryption, table.DocLogin,
	table.DocEvents, table.DocUserDirectory, table.DocDelayedEvents, table.DocPushRules, table.DocAccountData, table.DocPresence,
	table.DocPagination, table.DocSSO,
}

func all(parts []table.Part, names ...string) map[table.Part][]string {
	fit := map[table.Part][]string{}
	for _, part := range parts {
		fit[part] = names
	}
	return fit
}

// everyStream moves each stream to one or two workers of its own.
func everyStream() (workers []string, writers map[topology.Stream][]string) {
	writers = map[topology.Stream][]string{}
	for _, stream := range topology.Streams {
		names, resources := []string{"writer-" + string(stream) + "-1"}, ""
		if stream == topology.QuarantinedMediaChanges {
			// A media worker, since only those have the endpoints; and so, for Axon, one for all media.
			names, resources = []string{"quarantine-1"}, " client,media"
		}
		if !topology.SingleWriter[stream] {
			names = append(names, strings.TrimSuffix(names[0], "1")+"2")
		}
		writers[stream] = names
		for _, name := range names {
			workers = append(workers, name+resources)
		}
	}
	return workers, writers
}

var fullRoles = []string{
	"sync-1", "sync-2", "initial-sync-1", "initial-sync-2", "client-reader-1", "client-reader-2", "event-creator-1", "event-creator-2",
	"login-1", "login-2", "sso-1 client", "federation-inbound-1 federation", "federation-inbound-2 federation",
	"federation-reader-1 federation", "federation-reader-2 federation", "user-dir-1 client", "media-1 media", "media-2 media",
}

var fullFit = map[table.Part][]string{
	table.DocSync:          {"sync-1", "sync-2", "initial-sync-1", "initial-sync-2"},
	table.DocFederation:    {"federation-reader-1", "federation-reader-2"},
	table.DocInbound:       {"federation-inbound-1", "federation-inbound-2"},
	table.DocClient:        {"client-reader-1", "client-reader-2"},
	table.DocAdmin:         {"client-reader-1", "client-reader-2"},
	table.DocEncryption:    {"client-reader-1", "client-reader-2"},
	table.DocLogin:         {"login-1", "login-2"},
	table.DocEvents:        {"event-creator-1", "event-creator-2"},
	table.DocUserDirectory: {"user-dir-1"},
	table.DocDelayedEvents: {"client-reader-1", "client-reader-2", "event-creator-1", "event-creator-2"},
	table.DocPushRules:     {"client-reader-1", "client-reader-2"},
	table.DocAccountData:   {"client-reader-1", "client-reader-2"},
	table.DocPresence:      {"client-reader-1", "client-reader-2"},
	table.DocPagination:    {"client-reader-1", "client-reader-2"},
	table.DocSSO:           {"sso-1"},
	table.DocMedia:         {"media-1", "media-2"},
}

// deployments are the homeservers that every request is tried on.
func deployments() map[string]deployment {
	streamWorkers, streamWriters := everyStream()
	return map[string]deployment{
		"no workers": {},
		"two generic workers": {
			workers: []string{"worker-1", "worker-2"},
			fit:     all(generic, "worker-1", "worker-2"),
		},
		"full roles": {workers: fullRoles, fit: fullFit, initial: fullFit[table.DocSync][2:], incremental: fullFit[table.DocSync][:2]},
		"every stream writer on its own worker": {
			workers: append(slices.Clone(streamWorkers), "generic-1"),
			writers: streamWriters,
			fit:     all(generic, "generic-1"),
		},
		"full roles and every stream writer": {
			workers: append(slices.Clone(streamWorkers), fullRoles[:16]...),
			writers: streamWriters,
			fit:     fullFit,
		},
		"several receipts and events writers": {
			workers: []string{"generic-1", "generic-2", "receipts-1", "receipts-2", "receipts-3", "persister-1", "persister-2"},
			writers: map[topology.Stream][]string{
				topology.Receipts: {"receipts-1", "receipts-2", "receipts-3"},
				topology.Events:   {"persister-1", "persister-2"},
			},
			fit: all(generic, "generic-1", "generic-2"),
		},
		"delegated authentication":                {workers: fullRoles, fit: fullFit, delegated: true},
		"delegated authentication and no workers": {delegated: true},
		"a separate media repository": {
			workers: []string{"generic-1"}, fit: all(generic, "generic-1"), mediaRepo: true,
		},
		"a separate media repository that reads X-Forwarded-Host": {mediaRepo: true, forwarded: true},
		"a media worker only": {
			workers: []string{"media-1 media"},
			writers: map[topology.Stream][]string{topology.QuarantinedMediaChanges: {"media-1"}},
			fit:     all([]table.Part{table.DocMedia}, "media-1"),
		},
		"unix sockets":                 {workers: fullRoles, fit: fullFit, unix: true},
		"a listener for each resource": {workers: []string{"worker-1 client,federation,media"}, fit: all(generic, "worker-1"), apart: true},
	}
}
