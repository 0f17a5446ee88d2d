package identity

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"axon/yamlfile"
)

// masEndpoint is Synapse's default (config/mas.py).
const masEndpoint = "http://localhost:8080"

// mas is how to reach the Matrix Authentication Service. The secret stays in it no longer than it works.
type mas struct{ endpoint, secret string }

// masSource says where that is written: in axon.yaml, or else in Synapse's own files, in the order in which Synapse
// merges them. Folders stand for the *.yaml files in them.
type masSource struct {
	config          IntrospectionConfig
	dir             string
	homeserverFiles []string
}

// masSection is what Axon reads of Synapse's section matrix_authentication_service.
type masSection struct {
	Enabled    bool   `yaml:"enabled"`
	Endpoint   string `yaml:"endpoint"`
	Secret     string `yaml:"secret"`
	SecretPath string `yaml:"secret_path"`
}

// read reads the files anew each time.
func (s masSource) read() (mas, error) {
	m := mas{endpoint: s.config.Endpoint}
	if s.config.SecretPath != "" {
		var err error
		if m.secret, err = readSecret(within(s.dir, s.config.SecretPath)); err != nil {
			return mas{}, fmt.Errorf("identity.introspection: %w", err)
		}
	}
	if m.endpoint == "" || m.secret == "" {
		if err := s.infer(&m); err != nil {
			return mas{}, fmt.Errorf("identity.introspection: %w", err)
		}
	}
	m.endpoint = strings.TrimRight(m.endpoint, "/")
	return m, endpointFault(m.endpoint)
}

// infer fills in what axon.yaml leaves open.
func (s masSource) infer(m *mas) error {
	section, file, err := homeserverMAS(s.homeserverFiles)
	if err != nil {
		return err
	}
	if m.endpoint == "" {
		m.endpoint = section.Endpoint
	}
	switch {
	case m.secret != "":
	case section.Secret != "":
		m.secret = section.Secret
	case section.SecretPath != "":
		m.secret, err = readSecret(within(filepath.Dir(file), section.SecretPath))
	default:
		err = fmt.Errorf("%s: matrix_authentication_service has no secret", file)
	}
	return err
}

// homeserverMAS finds the section in Synapse's files: that of the last file that has it counts.
func homeserverMAS(paths []string) (section masSection, file string, err error) {
	files, err := yamlFiles(paths)
	if err != nil {
		return masSection{}, "", err
	}
	for _, path := range slices.Backward(files) {
		f, err := yamlfile.Read(path)
		if err != nil {
			return masSection{}, "", err
		}
		if !f.Has("matrix_authentication_service") {
			continue
		}
		found := struct {
			MAS masSection `yaml:"matrix_authentication_service"`
		}{masSection{Endpoint: masEndpoint}}
		if err := f.Decode(&found); err != nil {
			return masSection{}, "", err
		}
		if found.MAS.Enabled {
			return found.MAS, path, nil
		}
		break
	}
	return masSection{}, "", errors.New("synapse's files enable no matrix_authentication_service: set endpoint and secret_path")
}

// yamlFiles puts the *.yaml files of folders in their place.
func yamlFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		found := []string{path}
		if info.IsDir() {
			found, _ = filepath.Glob(filepath.Join(path, "[^.]*.yaml")) // sorted; the pattern is well-formed
		}
		files = append(files, found...)
	}
	return files, nil
}

func endpointFault(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("identity.introspection.endpoint: %q: is not a URL like http://host:port/", endpoint)
	}
	return nil
}
