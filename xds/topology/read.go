package topology

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"axon/yamlfile"
)

// Sources are the files that describe a homeserver, as read. They are all that Build needs.
type Sources struct {
	// Config are the files of synapse.config in the order in which Synapse merges them.
	Config []*yamlfile.File
	// Workers are the files that synapse.workers led to.
	Workers []WorkerFile
	// Registrations are the files of app_service_config_files that can be read.
	Registrations []*yamlfile.File
	// Incomplete says that something could not be read, so that what is missing may not be missing.
	Incomplete bool
}

// WorkerFile is a file that may describe a worker.
type WorkerFile struct {
	*yamlfile.File
	// Named says that axon.yaml names the very file; the others were found in a folder or by a glob.
	Named bool
}

// Load reads the files that cfg names and builds the topology from them. file is the axon.yaml that cfg came from, for
// positions in faults, or nil; relative paths are relative to dir. The error joins all faults of all files.
func Load(cfg Config, file *yamlfile.File, dir string) (*Topology, error) {
	src, readErr := Read(cfg, file, dir)
	t, buildErr := Build(cfg, file, src)
	if err := errors.Join(readErr, buildErr); err != nil {
		return nil, err
	}
	return t, nil
}

// Read finds and reads Synapse's files. Sources is usable, though incomplete, where there is an error.
func Read(cfg Config, file *yamlfile.File, dir string) (Sources, error) {
	r := &reader{file: file, seen: map[string]bool{}}
	var src Sources
	for i, path := range cfg.Synapse.Config {
		found, err := configPaths(within(dir, path))
		r.fault(err, "config", i)
		for _, p := range found {
			if f := r.read(p, "config", i); f != nil {
				src.Config = append(src.Config, f)
			}
		}
	}
	for i, path := range cfg.Synapse.Workers {
		full := within(dir, path)
		found, err := workerPaths(full)
		r.fault(err, "workers", i)
		for _, p := range found {
			if f := r.read(p, "workers", i); f != nil {
				src.Workers = append(src.Workers, WorkerFile{f, p == full})
			}
		}
	}
	src.Registrations = r.registrations(cfg, src.Config)
	src.Incomplete = len(r.faults) > 0
	return src, errors.Join(r.faults...)
}

// Files are the files and folders that Read looks at, to be watched for changes: those that cfg names, the folders that
// globs search, and each file found. Some may not exist yet.
func Files(cfg Config, dir string) []string {
	var paths []string
	for _, path := range cfg.Synapse.Config {
		full := within(dir, path)
		found, _ := configPaths(full)
		paths = append(append(paths, full), found...)
	}
	for _, path := range cfg.Synapse.Workers {
		full := within(dir, path)
		found, _ := workerPaths(full)
		paths = append(append(paths, searched(full)), found...)
	}
	src, _ := Read(Config{Synapse: SynapseConfig{Config: cfg.Synapse.Config}}, nil, dir)
	if named := merged(src.Config).file("app_service_config_files"); named != nil {
		found, _ := registrationFiles(named)
		paths = append(paths, found...)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

type reader struct {
	file   *yamlfile.File
	seen   map[string]bool
	faults []error
}

// fault notes what is wrong with an item of axon.yaml.
func (r *reader) fault(err error, key string, i int) {
	if err != nil {
		r.faults = append(r.faults, r.file.Errorf([]any{"synapse", key, i}, "synapse.%s: %w", key, err))
	}
}

// read reads a file the first time that it is asked for.
func (r *reader) read(path, key string, i int) *yamlfile.File {
	if r.seen[path] {
		return nil
	}
	r.seen[path] = true
	f, err := yamlfile.Read(path)
	var fault *yamlfile.Error
	if errors.As(err, &fault) && fault.Position.Line > 0 {
		r.faults = append(r.faults, err)
	} else {
		r.fault(err, key, i)
	}
	return f
}

func within(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// configPaths resolves an item of synapse.config as Synapse's find_config_files does (config/_base.py).
func configPaths(path string) ([]string, error) {
	if isFolder(path) {
		return inFolder(path, ".yaml")
	}
	return []string{path}, nil
}

// workerPaths resolves an item of synapse.workers.
func workerPaths(path string) ([]string, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return inFolder(path, ".yaml", ".yml")
	} else if err == nil || !isGlob(path) {
		return []string{path}, nil
	}
	found, err := filepath.Glob(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	found = slices.DeleteFunc(found, func(p string) bool { return isFolder(p) || isHidden(p) && !isHidden(path) })
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: matches no file", path)
	}
	return found, nil
}

// inFolder gives the files of a folder that end in one of the endings, by name. Hidden ones are left out: editors and
// Kubernetes keep copies there.
func inFolder(dir string, endings ...string) ([]string, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot read the folder: %w", dir, errors.Unwrap(err))
	}
	var paths []string
	for _, e := range list {
		path := filepath.Join(dir, e.Name())
		if isHidden(path) || !slices.Contains(endings, filepath.Ext(path)) || isFolder(path) {
			continue
		}
		paths = append(paths, path)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: the folder has no *%s file", dir, endings[0])
	}
	return paths, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isHidden(path string) bool { return strings.HasPrefix(filepath.Base(path), ".") }

func isGlob(path string) bool { return strings.ContainsAny(path, `*?[`) }

// searched is the folder in which a glob looks, or the path itself where it is none.
func searched(path string) string {
	if _, err := os.Stat(path); err == nil {
		return path
	}
	for isGlob(path) {
		path = filepath.Dir(path)
	}
	return path
}
