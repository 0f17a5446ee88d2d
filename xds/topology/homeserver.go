package topology

import (
	"errors"

	"axon/yamlfile"
)

// homeserver is what Axon reads of Synapse's shared configuration. Sections are pointers so that a later file replaces
// them as a whole, as Synapse's read_config_files does (config/_base.py). No secret is among the fields.
type homeserver struct {
	ServerName      string                     `yaml:"server_name"`
	Listeners       []listenerConfig           `yaml:"listeners"`
	BindPort        any                        `yaml:"bind_port"`
	InstanceMap     map[string]instance        `yaml:"instance_map"`
	StreamWriters   map[string]StringOrList    `yaml:"stream_writers"`
	EnableMediaRepo *bool                      `yaml:"enable_media_repo"`
	Redis           *redisConfig               `yaml:"redis"`
	MAS             *masConfig                 `yaml:"matrix_authentication_service"`
	Experimental    *experimentalFeatureConfig `yaml:"experimental_features"`

	UserDirectoryWorker string       `yaml:"update_user_directory_from_worker"`
	MediaJobsWorker     string       `yaml:"media_instance_running_background_jobs"`
	FederationSenders   StringOrList `yaml:"federation_sender_instances"`
	Pushers             StringOrList `yaml:"pusher_instances"`
	BackgroundWorker    string       `yaml:"run_background_tasks_on"`
	AppserviceWorker    string       `yaml:"notify_appservices_from_worker"`
}

// instance is where a process's replication listener is: of it only the host is of use.
type instance struct {
	Host string `yaml:"host"`
}

type redisConfig struct {
	Enabled  bool   `yaml:"enabled"`
	Host     string `yaml:"host"`
	Port     any    `yaml:"port"`
	Path     string `yaml:"path"`
	Database int    `yaml:"dbid"`
	TLS      bool   `yaml:"use_tls"`
}

type masConfig struct {
	Enabled  bool   `yaml:"enabled"`
	Endpoint string `yaml:"endpoint"`
}

// experimentalFeatureConfig has the delegated authentication of Synapse before 1.163, which took the section for its
// stable successor's.
type experimentalFeatureConfig struct {
	MSC3861 struct {
		Enabled bool   `yaml:"enabled"`
		Issuer  string `yaml:"issuer"`
	} `yaml:"msc3861"`
}

// merged are the files of the shared configuration, later ones winning key by key at the top.
type merged []*yamlfile.File

// decode reads all files into one homeserver.
func (m merged) decode() (homeserver, error) {
	var hs homeserver
	var faults []error
	for _, f := range m {
		faults = append(faults, f.Decode(&hs))
	}
	return hs, errors.Join(faults...)
}

// file is the one whose top-level key counts: the last that has it, or else, to point somewhere, the last of all. It is
// nil where there is none.
func (m merged) file(key string) *yamlfile.File {
	for i := len(m) - 1; i >= 0; i-- {
		if m[i].Has(key) {
			return m[i]
		}
	}
	if len(m) > 0 {
		return m[len(m)-1]
	}
	return nil
}

// at is the place of a key in the file that counts for it.
func (m merged) at(path ...any) yamlfile.Position {
	return m.file(path[0].(string)).At(path...)
}
