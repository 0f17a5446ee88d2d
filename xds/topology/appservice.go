package topology

import (
	"crypto/sha256"
	"maps"
	"slices"
	"strings"

	"axon/yamlfile"
)

// AppserviceConfig is an item of appservices in axon.yaml; its key is the id in the appservice's registration.
type AppserviceConfig struct {
	// Group is the group of workers that serves the appservice.
	Group string `yaml:"group"`
}

// Appservice is an appservice, most often a bridge, with workers of its own.
type Appservice struct {
	ID    string
	Group string
	// Token is the SHA-256 of its as_token. The token itself is not kept.
	Token  [sha256.Size]byte
	Source yamlfile.Position
}

// appservices finds the registrations of those that have a group.
func (b *builder) appservices() {
	known := b.registrations()
	for _, id := range slices.Sorted(maps.Keys(b.cfg.Appservices)) {
		a, ok := known[id]
		a.Group = b.cfg.Appservices[id].Group
		switch {
		case a.Group == "":
			b.add(b.file.Errorf([]any{"appservices", id}, "appservice %q: no group", id))
		case !ok && !b.incomplete:
			b.add(b.file.Errorf([]any{"appservices", id}, "appservice %q: app_service_config_files has no such registration; there are %s", id, ids(known)))
		default:
			b.t.Appservices = append(b.t.Appservices, a)
		}
	}
}

func ids(known map[string]Appservice) string {
	if len(known) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(known)), ", ")
}
