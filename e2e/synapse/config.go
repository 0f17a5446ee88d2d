package synapse

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

//go:embed templates
var files embed.FS

var templates = template.Must(template.New("").
	Funcs(template.FuncMap{"join": func(names []string) string { return strings.Join(names, ", ") }}).
	ParseFS(files, "templates/*.yaml"))

// settings is what templates/homeserver.yaml is filled with.
type settings struct {
	Dir, ServerName, Database, Extra                      string
	ReplicationSecret, RegistrationSecret, MacaroonSecret string
	MediaWorker, UserDirectoryWorker                      string
	RedisPort                                             int
	Main                                                  *instance
	Workers                                               []*instance
	Writers                                               []writers
}

// writers are the workers that write a stream, as stream_writers lists them.
type writers struct {
	Stream string
	Names  []string
}

func (hs *Homeserver) settings() settings {
	s := settings{
		Dir: hs.Dir, ServerName: hs.ServerName, Database: hs.databaseDir(), Extra: hs.extra,
		ReplicationSecret: rand.Text(), RegistrationSecret: hs.RegistrationSecret, MacaroonSecret: rand.Text(),
		RedisPort: hs.redisPort, Main: hs.instances[0], Workers: hs.instances[1:],
	}
	for _, worker := range s.Workers {
		if worker.App == mediaRepository {
			s.MediaWorker = worker.Name
		}
		if worker.UserDirectory {
			s.UserDirectoryWorker = worker.Name
		}
		for _, stream := range worker.Writes {
			s.write(stream, worker.Name)
		}
	}
	return s
}

func (s *settings) write(stream, worker string) {
	at := slices.IndexFunc(s.Writers, func(w writers) bool { return w.Stream == stream })
	if at < 0 {
		at = len(s.Writers)
		s.Writers = append(s.Writers, writers{Stream: stream})
	}
	s.Writers[at].Names = append(s.Writers[at].Names, worker)
}

// writeFiles writes all that Synapse's processes read: the shared file, the signing key, a log configuration each, and a
// file per worker.
func (hs *Homeserver) writeFiles() error {
	seed := make([]byte, 32)
	rand.Read(seed)
	key := "ed25519 a_test " + base64.RawStdEncoding.EncodeToString(seed) + "\n"
	if err := os.WriteFile(filepath.Join(hs.Dir, "signing.key"), []byte(key), 0o600); err != nil {
		return err
	}
	if err := fill(hs.ConfigPath, "homeserver.yaml", hs.settings()); err != nil {
		return err
	}
	for _, at := range hs.instances {
		if err := fill(filepath.Join(hs.Dir, "log", at.Name+".yaml"), "log.yaml", at.logPath()); err != nil {
			return err
		}
		if at.Name == mainName {
			continue
		}
		if err := fill(at.configPath(), "worker.yaml", at); err != nil {
			return err
		}
	}
	return nil
}

func (at *instance) configPath() string { return filepath.Join(at.Dir, "workers", at.Name+".yaml") }

func (at *instance) logPath() string { return filepath.Join(at.Dir, "log", at.Name+".log") }

func fill(path, name string, data any) error {
	var text bytes.Buffer
	if err := templates.ExecuteTemplate(&text, name, data); err != nil {
		return err
	}
	return os.WriteFile(path, text.Bytes(), 0o600)
}
