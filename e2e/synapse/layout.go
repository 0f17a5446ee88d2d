package synapse

// Worker describes one worker of a deployment, as its administrator thinks of it.
type Worker struct {
	Name string
	// App is the worker_app; empty means synapse.app.generic_worker.
	App string
	// Resources are those of the listener that clients reach; a worker without any has no such listener.
	Resources []string
	// Unix puts that listener on a unix socket instead of a port.
	Unix bool
	// Writes names the streams that this worker writes; it then has a replication listener and an entry in instance_map.
	Writes []string
	// UserDirectory makes it the worker that updates the user directory.
	UserDirectory bool
}

const (
	genericWorker   = "synapse.app.generic_worker"
	mediaRepository = "synapse.app.media_repository"
)

var both = []string{"client", "federation"}

// Full is a deployment with a worker for every job, fourteen beside main. The media worker is what docs/workers.md asks
// for: the media_repository app, which loads the repository although the shared file turns it off.
func Full() []Worker {
	return []Worker{
		{Name: "sync-1", Resources: both},
		{Name: "sync-2", Resources: both},
		{Name: "sync-3", Resources: both},
		{Name: "initial-sync-1", Resources: both},
		{Name: "federation-1", Resources: both},
		{Name: "federation-2", Resources: both},
		{Name: "client-reader-1", Resources: both},
		{Name: "client-reader-2", Resources: both},
		{Name: "event-creator-1", Resources: both, Unix: true},
		{Name: "event-persister-1", Writes: []string{"events"}},
		{Name: "event-persister-2", Writes: []string{"events"}},
		{
			Name: "stream-writer-1", Resources: []string{"client"},
			Writes: []string{"typing", "to_device", "account_data", "receipts", "presence"},
		},
		{Name: "media-1", App: mediaRepository, Resources: []string{"media"}},
		{Name: "user-dir-1", Resources: []string{"client"}, UserDirectory: true},
	}
}

// Small is main, which writes every stream, and two generic workers: the least that has something to balance.
func Small() []Worker {
	return []Worker{
		{Name: "generic-worker-1", Resources: both},
		{Name: "generic-worker-2", Resources: both},
	}
}
