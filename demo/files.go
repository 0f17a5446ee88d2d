package demo

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"

	"axon/demo/standin"
)

// The types below are as much of Synapse's files as an administrator needs for workers (docs/workers.md of Synapse).

type homeserverFile struct {
	ServerName    string              `yaml:"server_name"`
	PublicBaseURL string              `yaml:"public_baseurl"`
	Listeners     []listener          `yaml:"listeners"`
	Redis         redis               `yaml:"redis"`
	InstanceMap   map[string]instance `yaml:"instance_map"`
	StreamWriters map[string][]string `yaml:"stream_writers"`
	MediaRepo     bool                `yaml:"enable_media_repo"`
	MediaJobs     string              `yaml:"media_instance_running_background_jobs"`
}

type workerFile struct {
	App       string     `yaml:"worker_app"`
	Name      string     `yaml:"worker_name"`
	Listeners []listener `yaml:"worker_listeners"`
	MediaRepo bool       `yaml:"enable_media_repo,omitempty"`
}

type listener struct {
	Type          string      `yaml:"type"`
	Port          int         `yaml:"port,omitempty"`
	BindAddresses []string    `yaml:"bind_addresses,omitempty"`
	Path          string      `yaml:"path,omitempty"`
	XForwarded    bool        `yaml:"x_forwarded,omitempty"`
	Resources     []resources `yaml:"resources"`
}

type resources struct {
	Names []string `yaml:"names,flow"`
}

type instance struct {
	Host string `yaml:"host"`
	Port int    `yaml:"port"`
}

type redis struct {
	Enabled bool   `yaml:"enabled"`
	Path    string `yaml:"path"`
}

// axonFile is axon.yaml.
type axonFile struct {
	Synapse struct {
		Config  []string `yaml:"config"`
		Workers []string `yaml:"workers"`
	} `yaml:"synapse"`
	Listeners []address `yaml:"listeners"`
	Authz     address   `yaml:"authz"`
	XDS       address   `yaml:"xds"`
	Admin     address   `yaml:"admin"`
	Envoy     struct {
		Run         bool   `yaml:"run"`
		Dir         string `yaml:"dir"`
		Admin       string `yaml:"admin"`
		Concurrency int    `yaml:"concurrency"`
	} `yaml:"envoy"`
}

type address struct {
	Address string `yaml:"address"`
}

// writeFiles writes what an administrator would have: Synapse's own files and an axon.yaml that points at them.
func (d *Deployment) writeFiles() error {
	if err := os.Mkdir(filepath.Join(d.dir, "workers"), 0o700); err != nil {
		return err
	}
	files := map[string]any{"homeserver.yaml": d.homeserver(), axonYAML: d.axon()}
	for i, m := range roster {
		if m.name != standin.Main {
			files[filepath.Join("workers", m.name+".yaml")] = workerFile{
				App: "synapse.app.generic_worker", Name: m.name, MediaRepo: m.mediaRepo, Listeners: d.listeners(i),
			}
		}
	}
	for name, content := range files {
		if err := d.writeYAML(name, content); err != nil {
			return err
		}
	}
	return nil
}

func (d *Deployment) writeYAML(name string, content any) error {
	text, err := yaml.MarshalWithOptions(content, yaml.IndentSequence(true))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	const head = "# Written by axon demo for its stand-in workers; gone when it ends.\n"
	return os.WriteFile(filepath.Join(d.dir, name), append([]byte(head), text...), 0o600)
}

func (d *Deployment) homeserver() homeserverFile {
	return homeserverFile{
		ServerName:    serverName,
		PublicBaseURL: d.URL() + "/",
		Listeners:     d.listeners(0),
		// A socket in our own folder rather than the usual port, where somebody else's Redis may be listening.
		Redis: redis{Enabled: true, Path: filepath.Join(d.dir, "redis.sock")},
		InstanceMap: map[string]instance{
			standin.Main: {Host: "127.0.0.1", Port: d.ports.mainReplication},
			streamWriter: {Host: "127.0.0.1", Port: d.ports.writerReplication},
		},
		StreamWriters: writers(),
		MediaJobs:     "media-1",
	}
}

// listeners gives the listeners of the i-th of the roster as its file says them.
func (d *Deployment) listeners(i int) []listener {
	m, w := roster[i], d.workers[i]
	l := listener{Type: "http", Resources: []resources{{Names: m.resources}}}
	if m.unix {
		l.Path = w.Address()
	} else {
		l.Port, l.BindAddresses, l.XForwarded = w.Port(), []string{"127.0.0.1"}, true
	}
	replication := map[string]int{standin.Main: d.ports.mainReplication, streamWriter: d.ports.writerReplication}[m.name]
	if replication == 0 {
		return []listener{l}
	}
	return []listener{l, {
		Type: "http", Port: replication, BindAddresses: []string{"127.0.0.1"},
		Resources: []resources{{Names: []string{"replication"}}},
	}}
}

func (d *Deployment) axon() axonFile {
	var f axonFile
	f.Synapse.Config = []string{"homeserver.yaml"}
	f.Synapse.Workers = []string{"workers"}
	f.Listeners = []address{{loopback(d.ports.front)}}
	f.Authz = address{"unix:" + filepath.Join(d.dir, "authz.sock")}
	f.XDS = address{"unix:" + filepath.Join(d.dir, "xds.sock")}
	f.Admin = address{loopback(d.ports.axonAdmin)}
	f.Envoy.Run, f.Envoy.Dir = true, filepath.Join(d.dir, "envoy")
	f.Envoy.Admin = loopback(d.ports.envoyAdmin)
	f.Envoy.Concurrency = 2 // a demonstration need not take a thread of every core
	return f
}
