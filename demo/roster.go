package demo

import (
	"slices"
	"strings"

	"axon/demo/standin"
)

const serverName = "demo.axon.test"

// member is a process of the demonstration's homeserver.
type member struct {
	name      string
	resources []string
	mediaRepo bool
	unix      bool // listens on a unix socket instead of a port
}

const streamWriter = "stream-writer-1"

// roster is the whole homeserver. Roles stand in the names alone, as in most deployments; which worker does what is
// Axon's to find out.
var roster = []member{
	{name: standin.Main, resources: []string{standin.Client, standin.Federation}},
	{name: "sync-1", resources: []string{standin.Client}},
	{name: "sync-2", resources: []string{standin.Client}},
	{name: "sync-3", resources: []string{standin.Client}},
	{name: "initial-sync-1", resources: []string{standin.Client}},
	{name: "client-reader-1", resources: []string{standin.Client}},
	{name: "event-creator-1", resources: []string{standin.Client}},
	{name: "event-creator-2", resources: []string{standin.Client}},
	{name: "federation-1", resources: []string{standin.Federation}},
	{name: "federation-2", resources: []string{standin.Federation}},
	{name: streamWriter, resources: []string{standin.Client}},
	{name: "media-1", resources: []string{standin.Client, standin.Federation, standin.Media}, mediaRepo: true, unix: true},
}

// movedStreams are written by streamWriter; all others by main.
var movedStreams = []string{
	"typing", "to_device", "account_data", "receipts", "presence", "push_rules", "device_lists", "thread_subscriptions",
}

func writers() map[string][]string {
	moved := map[string][]string{}
	for _, stream := range movedStreams {
		moved[stream] = []string{streamWriter}
	}
	return moved
}

// workersNamed gives the names of the roster that begin so, in the order of the roster.
func workersNamed(prefix string) []string {
	var names []string
	for _, m := range roster {
		if strings.HasPrefix(m.name, prefix) {
			names = append(names, m.name)
		}
	}
	return slices.Clip(names)
}
