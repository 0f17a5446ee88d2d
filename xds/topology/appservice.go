package topology

import (
	"crypto/sha256"
	"maps"
	"path/filepath"
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

// registration is what Axon reads of a registration file (application service API, "Registration").
type registration struct {
	ID    string `yaml:"id"`
	Token string `yaml:"as_token"`
}

// registrations reads the files of app_service_config_files, if some appservice has a group. Relative paths are relative
// to the file that names them.
func (r *reader) registrations(cfg Config, config merged) []*yamlfile.File {
	named := config.file("app_service_config_files")
	if len(cfg.Appservices) == 0 || named == nil {
		return nil
	}
	var hs struct {
		Files StringOrList `yaml:"app_service_config_files"`
	}
	if err := named.Decode(&hs); err != nil {
		r.faults = append(r.faults, err)
		return nil
	}
	var files []*yamlfile.File
	for i, path := range hs.Files {
		f, err := yamlfile.Read(within(filepath.Dir(named.Name), path))
		if err != nil {
			r.faults = append(r.faults, named.Errorf([]any{"app_service_config_files", i}, "app_service_config_files: %w", err))
			continue
		}
		files = append(files, f)
	}
	return files
}

// appservices finds the registrations of those that have a group.
func (b *builder) appservices() {
	known := map[string]Appservice{}
	for _, f := range b.src.Registrations {
		var r registration
		if err := f.Decode(&r); err != nil {
			b.add(err)
		} else if r.ID == "" || r.Token == "" {
			b.add(f.Errorf(nil, "no registration of an appservice: it has no id or no as_token"))
		} else {
			known[r.ID] = Appservice{ID: r.ID, Token: sha256.Sum256([]byte(r.Token)), Source: f.At("id")}
		}
	}
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
