// Package topology says what runs: the Synapse processes of one homeserver, where they listen and what each of them
// can serve. It is read from Synapse's own files and from the topology section of axon.yaml, which wins.
package topology

import (
	"net"
	"slices"
	"strconv"

	"axon/yamlfile"
)

// MainName is what Axon and instance_map call Synapse's main process (Synapse itself calls it "master" inside).
const MainName = "main"

// Topology is what runs. It is complete and consistent: Load gives either this or an error.
type Topology struct {
	ServerName string
	Main       *Worker
	// Workers are sorted by name, numbers by value (sync-2 before sync-10); main is not among them. Workers without
	// a client-facing listener are listed too, so that they can be shown, but have no Listeners.
	Workers []*Worker
	// StreamWriters has an entry for each of Streams; a stream that nobody moved is written by main.
	StreamWriters map[Stream][]string
	// DelegatedAuth is the Matrix Authentication Service, nil where Synapse does logins itself.
	DelegatedAuth *Service
	// MediaRepo is a matrix-media-repo beside Synapse, nil where Synapse keeps its media itself.
	MediaRepo *Service
	// Redis is nil where Synapse uses none.
	Redis *Redis
	// UserDirectoryWorker is update_user_directory_from_worker, MediaJobsWorker is
	// media_instance_running_background_jobs; empty where unset.
	UserDirectoryWorker string
	MediaJobsWorker     string
	// Background names the workers that Synapse's files give background work only (federation_sender_instances,
	// pusher_instances, run_background_tasks_on, notify_appservices_from_worker), with that key.
	Background map[string]string
	// Appservices are those with workers of their own, by id.
	Appservices []Appservice
	// Registrations are all appservices whose files could be read.
	Registrations []Registration
	// Warnings are faults that leave the topology usable.
	Warnings []Warning
}

// Worker is one Synapse process, main included.
type Worker struct {
	Name string
	// App is worker_app, for example synapse.app.generic_worker; empty for main and for workers of axon.yaml.
	App string
	// Listeners are those that a client or a remote server may be sent to, best first (unix socket, then plain TCP).
	// Empty means that the worker is not a destination, and Why says why not.
	Listeners []Listener
	// MediaRepo says whether this process loads the media repository (enable_media_repo, its own file's before the
	// shared one's).
	MediaRepo bool
	// Source is where the worker is described; Why is how its address was found, in words for an administrator.
	Source yamlfile.Position
	Why    string
}

// Listener is one HTTP listener of a worker.
type Listener struct {
	Address   Address
	Resources []Resource
}

// Address is host and port, or the path of a unix socket.
type Address struct {
	Host string
	Port uint16
	Path string
}

// String gives "host:port" or "unix:/path", as axon.yaml spells them.
func (a Address) String() string {
	if a.Path != "" {
		return "unix:" + a.Path
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port)))
}

// IsName says whether the host is a DNS name, which Envoy has to resolve.
func (a Address) IsName() bool { return a.Path == "" && net.ParseIP(a.Host) == nil }

// Service is something beside Synapse that requests are sent to.
type Service struct {
	Address Address
	TLS     bool
	// ForwardedHost says that the service reads X-Forwarded-Host instead of Host.
	ForwardedHost bool
	Source        yamlfile.Position
}

// Warning is a fault that leaves the topology usable.
type Warning struct {
	Source yamlfile.Position
	Text   string
	// Broken says that some requests can't be served at all; axon check refuses it.
	Broken bool
}

// Serves says whether one of the worker's listeners has the resource.
func (w *Worker) Serves(r Resource) bool {
	_, ok := w.Listener(r)
	return ok
}

// Listener gives the best of the worker's listeners that has the resource.
func (w *Worker) Listener(r Resource) (Listener, bool) {
	for _, l := range w.Listeners {
		for _, has := range l.Resources {
			if has == r {
				return l, true
			}
		}
	}
	return Listener{}, false
}

// Resources are all that the worker's listeners have, as Synapse names them, each once.
func (w *Worker) Resources() []string {
	var names []string
	for _, l := range w.Listeners {
		for _, r := range l.Resources {
			if !slices.Contains(names, string(r)) {
				names = append(names, string(r))
			}
		}
	}
	return names
}

// Worker finds a worker by name, main included; nil where there is none.
func (t *Topology) Worker(name string) *Worker {
	if name == MainName {
		return t.Main
	}
	for _, w := range t.Workers {
		if w.Name == name {
			return w
		}
	}
	return nil
}
