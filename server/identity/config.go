package identity

import (
	"errors"
	"fmt"
	"time"

	"axon/yamlfile"
)

// Config is the section "identity" of axon.yaml. Durations are Go's: 500ms, 10s, 1h. Paths may be relative to that file.
type Config struct {
	// Resolvers are whoami, introspection and native, in the order in which they are asked until one knows.
	Resolvers []string `yaml:"resolvers"`
	// Timeout is how long a lookup may take. It should be shorter than Envoy's own for ext_authz.
	Timeout time.Duration `yaml:"timeout"`
	Cache   CacheConfig   `yaml:"cache"`
	// MaxInFlight bounds the lookups under way; requests beyond it go on without identity at once.
	MaxInFlight int `yaml:"max_in_flight"`
	// Introspection and Native are nil where their defaults do.
	Introspection *IntrospectionConfig `yaml:"introspection"`
	Native        *NativeConfig        `yaml:"native"`
	// Redis is nil where no other Axon shares what this one knows.
	Redis  *RedisConfig `yaml:"redis"`
	Policy `yaml:",inline"`
}

// IntrospectionConfig says how the Matrix Authentication Service is asked. What it leaves open is read from Synapse's
// files. The service takes a token that it is asked about for used.
type IntrospectionConfig struct {
	Endpoint   string `yaml:"endpoint"`    // a URL, as in matrix_authentication_service.endpoint
	SecretPath string `yaml:"secret_path"` // a file with matrix_authentication_service.secret
}

// NativeConfig says what becomes of a user that only the token itself names.
type NativeConfig struct {
	Verify string `yaml:"verify"` // background (default): by the resolvers that follow; or never
}

// RedisConfig is the Redis in which several Axons share what they know. It need not be Synapse's.
type RedisConfig struct {
	Address      string `yaml:"address"`     // host:port or unix:/path
	SecretPath   string `yaml:"secret_path"` // a file with at least 16 bytes, the same for all Axons
	Username     string `yaml:"username"`
	PasswordPath string `yaml:"password_path"`
	Database     int    `yaml:"database"`
	TLS          bool   `yaml:"tls"`
	CAPath       string `yaml:"ca_path"` // PEM; default: the system's certificate authorities
	// Timeout is how long a lookup waits for it; 20ms.
	Timeout time.Duration `yaml:"timeout"`
}

// CacheConfig is about what is remembered.
type CacheConfig struct {
	// SizeMiB bounds the memory of the entries; about 12,000 tokens fit into one MiB, and take a third more beside it.
	SizeMiB int `yaml:"size_mib"`
	// TTL is how long a token's user is remembered (with enforce at most 2 minutes, and never longer than the token is
	// known to live), NegativeTTL that a token is unknown.
	TTL         time.Duration `yaml:"ttl"`
	NegativeTTL time.Duration `yaml:"negative_ttl"`
}

// DefaultConfig is what holds where axon.yaml says nothing. A token belongs to one user for ever, so that the time to
// live only says how long the devices of past sessions are remembered.
func DefaultConfig() Config {
	return Config{
		Resolvers:   []string{resolverWhoami},
		Timeout:     500 * time.Millisecond,
		MaxInFlight: 256,
		Policy:      DefaultPolicy(),
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
		c.resolversFault(file),
		c.Introspection.validate(file),
		c.Native.validate(file),
		c.Redis.validate(file),
		c.validate(file), // the policy
	)
}

// enforcedTTL is Synapse's own limit for what it remembers of the Matrix Authentication Service's tokens.
const enforcedTTL = 2 * time.Minute

// life is how long a user is remembered: shorter where a token that has ended would still open doors.
func (c Config) life() time.Duration {
	if c.Enforce {
		return min(c.Cache.TTL, enforcedTTL)
	}
	return c.Cache.TTL
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

// key spells a path as faults name it: identity.cache.ttl, identity.resolvers[1].
func key(path []any) string {
	text := ""
	for _, step := range path {
		if i, ok := step.(int); ok {
			text += fmt.Sprintf("[%d]", i)
			continue
		}
		text += "." + step.(string)
	}
	return text[1:]
}
