package topology

// Config is the part of axon.yaml that says what runs. Paths are relative to the folder of axon.yaml.
type Config struct {
	Synapse  SynapseConfig `yaml:"synapse"`
	Topology Section       `yaml:"topology"`
	// Appservices are those with workers of their own, by the ids of their registrations.
	Appservices map[string]AppserviceConfig `yaml:"appservices"`
}

// SynapseConfig points at Synapse's own files.
type SynapseConfig struct {
	// Config are homeserver.yaml files or folders of them, merged as Synapse merges its --config-path arguments:
	// later ones win, top-level keys only; of a folder the *.yaml files in order of their names.
	Config []string `yaml:"config"`
	// Workers are worker files, folders or globs.
	Workers []string `yaml:"workers"`
	// Host is where a worker lives when no file says it; "{name}" stands for its name. Default 127.0.0.1.
	Host string `yaml:"host"`
}

// Section is the topology section; what stands here wins over Synapse's files, worker by worker.
type Section struct {
	ServerName    string                  `yaml:"server_name"`
	Main          string                  `yaml:"main"`
	Workers       []WorkerConfig          `yaml:"workers"`
	StreamWriters map[string]StringOrList `yaml:"stream_writers"`
	DelegatedAuth *ServiceConfig          `yaml:"delegated_auth"`
	MediaRepo     *ServiceConfig          `yaml:"media_repo"`
}

// WorkerConfig is one worker of the topology section.
type WorkerConfig struct {
	Name    string `yaml:"name"`
	Address string `yaml:"address"` // host:port or unix:/path
	// Resources default to client and federation.
	Resources []string `yaml:"resources"`
}

// ServiceConfig is a service beside Synapse.
type ServiceConfig struct {
	Address string `yaml:"address"` // host:port or unix:/path
	TLS     bool   `yaml:"tls"`
	// ForwardedHost tells a matrix-media-repo its homeserver by X-Forwarded-Host instead of Host (its own useForwardedHost).
	ForwardedHost bool `yaml:"forwarded_host"`
}
