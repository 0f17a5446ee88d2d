package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"axon/xds/topology"
	"axon/yamlfile"
)

// The resolvers, as the configuration names them.
const (
	resolverWhoami        = "whoami"
	resolverIntrospection = "introspection"
	resolverNative        = "native"
)

var resolvers = []string{resolverWhoami, resolverIntrospection, resolverNative}

func (c Config) resolversFault(file *yamlfile.File) error {
	var faults []error
	fault := func(path []any, format string, args ...any) {
		path = append([]any{"identity"}, path...)
		faults = append(faults, file.Errorf(path, "%s: %s", key(path), fmt.Sprintf(format, args...)))
	}
	if len(c.Resolvers) == 0 {
		fault([]any{"resolvers"}, "names nobody to ask: %s", strings.Join(resolvers, ", "))
	}
	for i, name := range c.Resolvers {
		switch {
		case !slices.Contains(resolvers, name):
			fault([]any{"resolvers", i}, "%q: there are %s", name, strings.Join(resolvers, ", "))
		case slices.Index(c.Resolvers, name) < i:
			fault([]any{"resolvers", i}, "%q is named twice", name)
		case name == resolverNative && c.Enforce:
			fault([]any{"resolvers", i}, "native does not go with identity.enforce: anybody can make up such a token")
		}
	}
	for _, section := range []struct {
		name  string
		given bool
	}{{resolverIntrospection, c.Introspection != nil}, {resolverNative, c.Native != nil}} {
		if section.given && !slices.Contains(c.Resolvers, section.name) {
			fault([]any{section.name}, "has no effect: identity.resolvers does not name it")
		}
	}
	return errors.Join(faults...)
}

func (c *IntrospectionConfig) validate(file *yamlfile.File) error {
	if c == nil || c.Endpoint == "" {
		return nil
	}
	if err := endpointFault(c.Endpoint); err != nil {
		return file.Errorf([]any{"identity", "introspection", "endpoint"}, "%w", err)
	}
	return nil
}

const (
	verifyBackground = "background"
	verifyNever      = "never"
)

// verifies is for a nil one, too.
func (c *NativeConfig) verifies() bool { return c == nil || c.Verify != verifyNever }

func (c *NativeConfig) validate(file *yamlfile.File) error {
	if c == nil || slices.Contains([]string{"", verifyBackground, verifyNever}, c.Verify) {
		return nil
	}
	return file.Errorf([]any{"identity", "native", "verify"}, "identity.native.verify: %q: has to be %s or %s", c.Verify, verifyBackground, verifyNever)
}

func (c *RedisConfig) validate(file *yamlfile.File) error {
	if c == nil {
		return nil
	}
	var faults []error
	fault := func(key, text string) {
		faults = append(faults, file.Errorf([]any{"identity", "redis", key}, "identity.redis.%s: %s", key, text))
	}
	if _, err := topology.ParseAddress(c.Address); err != nil {
		fault("address", err.Error())
	}
	if c.SecretPath == "" {
		fault("secret_path", "names no file; the Axons that share a Redis need the same secret of at least 16 bytes")
	}
	if c.Username != "" && c.PasswordPath == "" {
		fault("username", "is nothing without password_path")
	}
	if c.CAPath != "" && !c.TLS {
		fault("ca_path", "is nothing without tls")
	}
	faults = append(faults, numberFault(file, c.Database, 0, 1<<16, "identity", "redis", "database"))
	if c.Timeout != 0 {
		faults = append(faults, durationFault(file, c.Timeout, time.Millisecond, time.Second, "identity", "redis", "timeout"))
	}
	return errors.Join(faults...)
}
