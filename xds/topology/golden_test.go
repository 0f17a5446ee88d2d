package topology_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"axon/xds/topology"
	"axon/yamlfile"
)

var update = flag.Bool("update", false, "write the golden files anew and remove stale ones")

// TestGolden reads each case as an administrator has it and compares what comes of it: topology.yaml, or errors.txt where
// the files have faults.
func TestGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/*/axon.yaml")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range cases {
		dir := filepath.Dir(path)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			top, err := load(t, path)
			if err != nil {
				golden(t, dir, "errors.txt", err.Error()+"\n", "topology.yaml")
				return
			}
			golden(t, dir, "topology.yaml", show(t, top), "errors.txt")
		})
	}
}

func load(t *testing.T, path string) (*topology.Topology, error) {
	t.Helper()
	file, err := yamlfile.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	var cfg topology.Config
	if err := file.Decode(&cfg); err != nil {
		t.Fatal(err)
	}
	return topology.Load(cfg, file, filepath.Dir(path))
}

// golden compares got with the file, from which the case's own folder is left out, or writes it.
func golden(t *testing.T, dir, name, got, stale string) {
	t.Helper()
	got = strings.ReplaceAll(got, dir+"/", "")
	path := filepath.Join(dir, name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(filepath.Join(dir, stale))
		return
	}
	if _, err := os.Stat(filepath.Join(dir, stale)); err == nil {
		t.Errorf("%s is stale; run the test with -update", filepath.Join(dir, stale))
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// show writes a topology down, positions and all.
func show(t *testing.T, top *topology.Topology) string {
	t.Helper()
	type listener struct {
		Address   string              `yaml:"address"`
		Resources []topology.Resource `yaml:"resources,flow"`
	}
	type worker struct {
		Name      string     `yaml:"name"`
		App       string     `yaml:"app,omitempty"`
		Source    string     `yaml:"source"`
		Listeners []listener `yaml:"listeners,omitempty"`
		MediaRepo bool       `yaml:"media_repo"`
		Why       string     `yaml:"why"`
	}
	workers := []worker{}
	for _, w := range append([]*topology.Worker{top.Main}, top.Workers...) {
		shown := worker{Name: w.Name, App: w.App, Source: w.Source.String(), MediaRepo: w.MediaRepo, Why: w.Why}
		for _, l := range w.Listeners {
			shown.Listeners = append(shown.Listeners, listener{l.Address.String(), l.Resources})
		}
		workers = append(workers, shown)
	}
	writers := yaml.MapSlice{}
	for _, s := range topology.Streams {
		writers = append(writers, yaml.MapItem{Key: string(s), Value: top.StreamWriters[s]})
	}
	doc := yaml.MapSlice{
		{Key: "server_name", Value: top.ServerName},
		{Key: "processes", Value: workers},
		{Key: "stream_writers", Value: writers},
	}
	add := func(key string, value any, is bool) {
		if is {
			doc = append(doc, yaml.MapItem{Key: key, Value: value})
		}
	}
	service := func(s *topology.Service) yaml.MapSlice {
		if s == nil {
			return nil
		}
		return yaml.MapSlice{{Key: "address", Value: s.Address.String()}, {Key: "tls", Value: s.TLS}, {Key: "source", Value: s.Source.String()}}
	}
	add("delegated_auth", service(top.DelegatedAuth), top.DelegatedAuth != nil)
	add("media_repo", service(top.MediaRepo), top.MediaRepo != nil)
	if r := top.Redis; r != nil {
		add("redis", yaml.MapSlice{
			{Key: "address", Value: r.Address.String()},
			{Key: "database", Value: r.Database},
			{Key: "tls", Value: r.TLS},
			{Key: "source", Value: r.Source.String()},
		}, true)
	}
	var appservices []string
	for _, a := range top.Appservices {
		appservices = append(appservices, fmt.Sprintf("%s: %s (%s)", a.ID, a.Group, a.Source))
	}
	add("appservices", appservices, len(appservices) > 0)
	add("user_directory_worker", top.UserDirectoryWorker, top.UserDirectoryWorker != "")
	add("media_jobs_worker", top.MediaJobsWorker, top.MediaJobsWorker != "")
	add("background", top.Background, len(top.Background) > 0)
	var warnings []string
	for _, w := range top.Warnings {
		warnings = append(warnings, (&yamlfile.Error{Position: w.Source, Err: textError(w.Text)}).Error())
	}
	add("warnings", warnings, len(warnings) > 0)
	out, err := yaml.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

type textError string

func (e textError) Error() string { return string(e) }
