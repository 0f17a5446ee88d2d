package identity

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"

	"axon/yamlfile"
)

// CheckFiles gives what is wrong with the files that the configuration names, each at its key in file, which may be nil.
// Relative paths are relative to dir; homeserverFiles are as in Options.
func (c Config) CheckFiles(file *yamlfile.File, dir string, homeserverFiles []string) error {
	return errors.Join(c.masFault(file, dir, homeserverFiles), c.Redis.filesFault(file, dir))
}

// masFault looks where the introspection's secret and endpoint are looked for.
func (c Config) masFault(file *yamlfile.File, dir string, homeserverFiles []string) error {
	if !slices.Contains(c.Resolvers, resolverIntrospection) {
		return nil
	}
	source := masSource{dir: dir, homeserverFiles: homeserverFiles}
	path := []any{"identity", "resolvers", slices.Index(c.Resolvers, resolverIntrospection)}
	if c.Introspection != nil {
		source.config, path = *c.Introspection, []any{"identity", "introspection", "secret_path"}
	}
	if _, err := source.read(); err != nil {
		return file.Errorf(path, "%w", err)
	}
	return nil
}

func (c *RedisConfig) filesFault(file *yamlfile.File, dir string) error {
	if c == nil {
		return nil
	}
	var faults []error
	fault := func(key string, err error) {
		if err != nil {
			faults = append(faults, file.Errorf([]any{"identity", "redis", key}, "identity.redis.%s: %w", key, err))
		}
	}
	if c.SecretPath != "" {
		_, err := readSealer(within(dir, c.SecretPath))
		fault("secret_path", err)
	}
	if c.PasswordPath != "" {
		_, err := readSecret(within(dir, c.PasswordPath))
		fault("password_path", err)
	}
	if c.CAPath != "" {
		_, err := readAuthorities(within(dir, c.CAPath))
		fault("ca_path", err)
	}
	return errors.Join(faults...)
}

// readSealer reads the secret that Axons share.
func readSealer(path string) (*sealer, error) {
	secret, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	s, err := newSealer(secret)
	if err != nil {
		return nil, fmt.Errorf("secret file %s: %w", path, err)
	}
	return s, nil
}

func readAuthorities(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: holds no PEM certificate", path)
	}
	return pool, nil
}
