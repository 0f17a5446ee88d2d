package identity

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"axon/xds/topology"
)

// redisTimeout is how long a lookup waits for the shared Redis where the configuration says nothing: to ask Synapse takes
// 1 to 10 ms, so that more would be no gain.
const redisTimeout = 20 * time.Millisecond

// newShared does not connect yet; it fails where files cannot be read. Relative paths are relative to dir.
func newShared(c RedisConfig, dir string, life time.Duration, s surroundings) (*shared, error) {
	sealer, err := readSealer(within(dir, c.SecretPath))
	if err != nil {
		return nil, fmt.Errorf("identity.redis.secret_path: %w", err)
	}
	options, err := c.options(dir)
	if err != nil {
		return nil, fmt.Errorf("identity.redis: %w", err)
	}
	logging.Disable() // the breaker says once what go-redis would write to the standard error for each connection
	timeout := options.ReadTimeout
	return &shared{
		client: redis.NewClient(options), sealer: sealer, breaker: s.breaker("redis", time.Second), timeout: timeout, life: life,
		writes: make(chan struct{}, maxWrites), counts: newSharedCounts(s.reg),
	}, nil
}

func (c RedisConfig) options(dir string) (*redis.Options, error) {
	address, err := topology.ParseAddress(c.Address)
	if err != nil {
		return nil, err
	}
	timeout := c.Timeout
	if timeout == 0 {
		timeout = redisTimeout
	}
	o := &redis.Options{
		Network: "tcp", Addr: address.String(), DB: c.Database,
		Protocol: 2, DisableIdentity: true, MaxRetries: -1,
		DialTimeout: time.Second, ReadTimeout: timeout, WriteTimeout: timeout, ContextTimeoutEnabled: true,
		PoolSize: maxWrites, PoolTimeout: timeout, MinIdleConns: 2,
	}
	if address.Path != "" {
		o.Network, o.Addr = "unix", address.Path
	}
	if c.TLS {
		if o.TLSConfig, err = c.tls(dir); err != nil {
			return nil, err
		}
	}
	if c.PasswordPath != "" {
		path := within(dir, c.PasswordPath)
		if _, err := readSecret(path); err != nil {
			return nil, err
		}
		o.CredentialsProviderContext = func(context.Context) (user, password string, err error) {
			password, err = readSecret(path) // anew for each connection: it may have changed
			return c.Username, password, err
		}
	}
	return o, nil
}

// tls trusts the system's certificate authorities, or only that of ca_path.
func (c RedisConfig) tls(dir string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAPath == "" {
		return config, nil
	}
	var err error
	if config.RootCAs, err = readAuthorities(within(dir, c.CAPath)); err != nil {
		return nil, fmt.Errorf("ca_path: %w", err)
	}
	return config, nil
}
