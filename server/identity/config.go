package identity

import (
	"errors"
	"time"

	"axon/yamlfile"
)

// Config is the section "identity" of axon.yaml. Durations are Go's: 500ms, 10s, 1h.
type Config struct {
	// Timeout is how long a lookup may take. It should be shorter than Envoy's own for ext_authz.
	Timeout time.Duration `yaml:"timeout"`
	Cache   CacheConfig   `yaml:"cache"`
	// MaxInFlight bounds the lookups under way; requests beyond it go on without identity at once.
	MaxInFlight int `yaml:"max_in_flight"`
	Policy      `yaml:",inline"`
}

// CacheConfig is about what is remembered.
type CacheConfig struct {
	// SizeMiB bounds the memory of the entries; about 8,000 users fit into one MiB.
	SizeMiB int `yaml:"size_mib"`
	// TTL is how long a token's user is remembered, NegativeTTL that a token is unknown.
	TTL         time.Duration `yaml:"ttl"`
	NegativeTTL time.Duration `yaml:"negative_ttl"`
}

// DefaultConfig is what holds where axon.yaml says nothing. A token belongs to one user for ever, so that the time to
// live only says how long the devices of past sessions are remembered.
func DefaultConfig() Config {
	return Config{
		Timeout:     500 * time.Millisecond,
		MaxInFlight: 256,
		Cache:       CacheConfig{SizeMiB: 64, TTL: time.Hour, NegativeTTL: 10 * time.Second},
	}
}

// Validate gives every fault, each at its place in file, which may be nil.
func (c Config) Validate(file *yamlfile.File) error {
	return errors.Join(
		durationFault(file, c.Timeout, time.Millisecond, 10*time.Second, "identity", "timeout"),
		numberFault(file, c.MaxInFlight, 1, 100_000, "identity", "max_in_flight"),
		numberFault(file, c.Cache.SizeMiB, 1, 65_536, "identity", "cache", "size_mib"),
		durationFault(file, c.Cache.TTL, time.Second, 30*24*time.Hour, "identity", "cache", "ttl"),
		durationFault(file, c.Cache.NegativeTTL, 100*time.Millisecond, 10*time.Minute, "identity", "cache", "negative_ttl"),
	)
}

func durationFault(file *yamlfile.File, got, low, high time.Duration, path ...any) error {
	if got >= low && got <= high {
		return nil
	}
	return file.Errorf(path, "%s: %s: has to be from %s to %s", key(path), got, low, high)
}

func numberFault(file *yamlfile.File, got, low, high int, path ...any) error {
	if got >= low && got <= high {
		return nil
	}
	return file.Errorf(path, "%s: %d: has to be from %d to %d", key(path), got, low, high)
}

// key spells a path as faults name it: identity.cache.ttl.
func key(path []any) string {
	text := ""
	for _, step := range path {
		text += "." + step.(string)
	}
	return text[1:]
}
