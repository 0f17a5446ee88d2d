package envoy

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Config is the section "envoy" of axon.yaml.
type Config struct {
	// Run makes axon run start an Envoy of its own and look after it.
	Run bool `yaml:"run"`
	// Path of the binary; empty: see Find.
	Path string `yaml:"path"`
	// Admin is the address of Envoy's admin interface, loopback or unix:/path.
	Admin string `yaml:"admin"`
	// Concurrency is the number of Envoy's worker threads; 0 is one per core.
	Concurrency int `yaml:"concurrency"`
	// MaxConnections is how many connections of clients Envoy has open; more are closed at once. 0 is what Connections says of an
	// Envoy that Axon runs, and as many as come in another one's bootstrap.
	MaxConnections int `yaml:"max_connections"`
	// Dir holds the state of the supervised Envoy: bootstrap, log pipe, state file, lock.
	Dir string `yaml:"dir"`
	// Drain is how long requests in flight may go on when Envoy is told to end.
	Drain time.Duration `yaml:"drain"`
	// HotRestart has an Envoy whose binary, bootstrap or flags have changed hand its sockets over to the next one.
	HotRestart bool `yaml:"hot_restart"`
	// LogLevel is Envoy's own: info, warning, error, critical or off.
	LogLevel string `yaml:"log_level"`
}

// DefaultConfig is what holds where axon.yaml says nothing.
func DefaultConfig() Config {
	return Config{
		Admin:    "127.0.0.1:9901",
		Dir:      "/run/axon",
		Drain:    30 * time.Second,
		LogLevel: "info",
	}
}

// Envoy knows debug and trace too, but prints every header there, access tokens included.
var logLevels = []string{"info", "warning", "error", "critical", "off"}

// Validate gives every fault, each with the key that it is about. It does not look at the file system.
func (c Config) Validate() error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("envoy."+key+": "+format, args...))
	}
	if a, err := parseAddress(c.Admin); err != nil {
		fault("admin", "%w", err)
	} else if err := a.private(); err != nil {
		fault("admin", "%q %w", c.Admin, err)
	}
	if c.Concurrency < 0 {
		fault("concurrency", "%d: has to be 0 (one thread per core) or more", c.Concurrency)
	}
	if c.MaxConnections < 0 {
		fault("max_connections", "%d: has to be 0 (as many as open files allow) or more", c.MaxConnections)
	}
	if !filepath.IsAbs(c.Dir) {
		fault("dir", "%q: has to be an absolute path", c.Dir)
	}
	if c.HotRestart && len(c.Dir) > longestHotDir {
		fault("dir", "%q: has to be at most %d bytes long with hot_restart, for the sockets in it", c.Dir, longestHotDir)
	}
	if c.Drain < 0 {
		fault("drain", "%s: has to be 0s or more", c.Drain)
	}
	if !slices.Contains(logLevels, c.LogLevel) {
		fault("log_level", "%q: has to be one of %s; Envoy's other levels would print access tokens", c.LogLevel, strings.Join(logLevels, ", "))
	}
	return errors.Join(faults...)
}
