package topology_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"axon/xds/topology"
	"axon/yamlfile"
)

// tree makes files in a new folder and changes to it.
func tree(t *testing.T, names ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, name := range names {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("server_name: a\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadFindsFilesAsSynapseDoes(t *testing.T) {
	all := []string{
		"conf.d/b.yaml", "conf.d/a.yaml", "conf.d/c.yml", "conf.d/sub.yaml/d.yaml", "conf.d/.hidden.yaml", "homeserver.yaml",
		"workers/w2.yaml", "workers/w1.yml", "workers/log.config",
	}
	for name, tt := range map[string]struct {
		cfg     topology.SynapseConfig
		config  []string
		workers []string
	}{
		"a folder of configurations is its *.yaml files by name": {
			cfg:    topology.SynapseConfig{Config: []string{"homeserver.yaml", "conf.d"}},
			config: []string{"homeserver.yaml", "conf.d/a.yaml", "conf.d/b.yaml"},
		},
		"a folder of workers is its YAML files": {
			cfg:     topology.SynapseConfig{Workers: []string{"workers"}},
			workers: []string{"workers/w1.yml", "workers/w2.yaml"},
		},
		"a glob takes what it matches, but no folder": {
			cfg:     topology.SynapseConfig{Workers: []string{"*/*.yaml"}},
			workers: []string{"conf.d/a.yaml", "conf.d/b.yaml", "workers/w2.yaml"},
		},
		"a file found twice is read once": {
			cfg:     topology.SynapseConfig{Workers: []string{"workers/w2.yaml", "./workers", "workers/*.y*"}},
			workers: []string{"workers/w2.yaml", "workers/w1.yml"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tree(t, all...)
			src, err := topology.Read(topology.Config{Synapse: tt.cfg}, nil, ".")
			if err != nil {
				t.Fatal(err)
			}
			var config, workers []string
			for _, f := range src.Config {
				config = append(config, f.Name)
			}
			for _, f := range src.Workers {
				workers = append(workers, f.Name)
			}
			if diff := cmp.Diff([][]string{tt.config, tt.workers}, [][]string{config, workers}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFilesNamesWhatToWatch(t *testing.T) {
	tree(t, "homeserver.yaml", "conf.d/a.yaml", "workers/w1.yaml", "more/w2.yaml", "more/w3.yaml")
	cfg := topology.Config{Synapse: topology.SynapseConfig{
		Config:  []string{"homeserver.yaml", "conf.d", "later.yaml"},
		Workers: []string{"workers", "more/w[2].yaml", "/nowhere/*/w.yaml"},
	}}
	want := []string{
		"/nowhere", "conf.d", "conf.d/a.yaml", "homeserver.yaml", "later.yaml", "more", "more/w2.yaml", "workers", "workers/w1.yaml",
	}
	if diff := cmp.Diff(want, topology.Files(cfg, ".")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnUnreadableFileIsAFault(t *testing.T) {
	tree(t, "homeserver.yaml")
	if err := os.Symlink("loop.yaml", "loop.yaml"); err != nil {
		t.Fatal(err)
	}
	file, err := yamlfile.Parse("axon.yaml", []byte("synapse:\n  config:\n    - homeserver.yaml\n    - loop.yaml\n"))
	if err != nil {
		t.Fatal(err)
	}
	src, err := topology.Read(topology.Config{Synapse: topology.SynapseConfig{Config: []string{"homeserver.yaml", "loop.yaml"}}}, file, ".")
	if want := "axon.yaml:4:7: synapse.config: loop.yaml: too many levels of symbolic links"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if !src.Incomplete || len(src.Config) != 1 {
		t.Errorf("got %+v", src)
	}
}

// FuzzBuild looks for files of Synapse's that take Axon down, or make a topology that is not whole.
func FuzzBuild(f *testing.F) {
	for _, dir := range []string{"single", "blog", "unix", "ess", "faults-types", "faults-names"} {
		hs, _ := os.ReadFile(filepath.Join("testdata", dir, "homeserver.yaml"))
		workers, _ := filepath.Glob(filepath.Join("testdata", dir, "workers", "*.yaml"))
		for _, path := range workers {
			w, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(hs, w)
		}
		f.Add(hs, []byte{})
	}
	f.Fuzz(func(t *testing.T, hs, worker []byte) {
		config, err := yamlfile.Parse("homeserver.yaml", hs)
		if err != nil {
			return
		}
		src := topology.Sources{Config: []*yamlfile.File{config}}
		if w, err := yamlfile.Parse("worker.yaml", worker); err == nil {
			src.Workers = append(src.Workers, topology.WorkerFile{File: w})
		}
		top, err := topology.Build(topology.Config{}, nil, src)
		if err != nil {
			return
		}
		checkWhole(t, top)
	})
}

// checkWhole checks what Topology promises.
func checkWhole(t *testing.T, top *topology.Topology) {
	t.Helper()
	if top.ServerName == "" || !top.Main.Serves(topology.Client) {
		t.Errorf("server name %q, main %+v", top.ServerName, top.Main)
	}
	seen := map[topology.Address]string{}
	for _, w := range append([]*topology.Worker{top.Main}, top.Workers...) {
		if w.Why == "" || top.Worker(w.Name) != w {
			t.Errorf("worker %q: why %q", w.Name, w.Why)
		}
		for _, l := range w.Listeners {
			if _, err := topology.ParseAddress(l.Address.String()); err != nil || len(l.Resources) == 0 {
				t.Errorf("worker %q: listener %+v: %v", w.Name, l, err)
			}
			if other, taken := seen[l.Address]; taken && other != w.Name {
				t.Errorf("%q and %q have the address %s", other, w.Name, l.Address)
			}
			seen[l.Address] = w.Name
		}
	}
	for _, s := range topology.Streams {
		writers := top.StreamWriters[s]
		unknown := func(name string) bool { return top.Worker(name) == nil }
		if len(writers) == 0 || slices.ContainsFunc(writers, unknown) || topology.SingleWriter[s] && len(writers) > 1 {
			t.Errorf("stream %s: writers %q", s, writers)
		}
	}
}
