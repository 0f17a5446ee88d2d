package topology

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"axon/yamlfile"
)

// Redis is Synapse's Redis. What it takes to get in is not kept: Credentials and TLSConfig read it from Synapse's file.
type Redis struct {
	Address  Address
	Database int
	TLS      bool
	Source   yamlfile.Position
}

// redis reads Synapse's config/redis.py.
func (b *builder) redis() {
	c := b.hs.Redis
	if c == nil || !c.Enabled {
		if len(b.t.Workers) > 0 && len(b.src.Config) > 0 && !b.incomplete {
			b.warn(b.shared.at("redis"), "redis is not enabled, and Synapse's workers need it to hear of each other")
		}
		return
	}
	address, err := c.address()
	if err != nil {
		b.add(b.shared.file("redis").Errorf([]any{"redis"}, "redis: %w", err))
		return
	}
	b.t.Redis = &Redis{Address: address, Database: c.Database, TLS: c.TLS, Source: b.shared.at("redis")}
}

func (c *redisConfig) address() (Address, error) {
	if c.Path != "" {
		return Address{Path: c.Path}, checkSocket(c.Path)
	}
	host, port := c.Host, c.Port
	if host == "" {
		host = "localhost"
	}
	if port == nil {
		port = uint64(6379)
	}
	n, err := portOf(port)
	if err != nil {
		return Address{}, err
	}
	return Address{Host: resolved(host), Port: n}, checkHost(host)
}

// redisAccess is the part of Synapse's section redis that Build does not read.
type redisAccess struct {
	User         string `yaml:"username"`
	Password     string `yaml:"password"`
	PasswordPath string `yaml:"password_path"`
	Certificate  string `yaml:"certificate_file"`
	Key          string `yaml:"private_key_file"`
	CAFile       string `yaml:"ca_file"`
	CAPath       string `yaml:"ca_path"`
}

// access reads the file as it is now. Relative paths are relative to it.
func (r *Redis) access() (redisAccess, error) {
	var hs struct {
		Redis redisAccess `yaml:"redis"`
	}
	f, err := yamlfile.Read(r.Source.File)
	if err == nil {
		err = f.Decode(&hs)
	}
	a, dir := hs.Redis, filepath.Dir(r.Source.File)
	for _, path := range []*string{&a.PasswordPath, &a.Certificate, &a.Key, &a.CAFile, &a.CAPath} {
		if *path != "" {
			*path = within(dir, *path)
		}
	}
	return a, err
}

// Credentials reads the user and the password from Synapse's file, or from the one that it names; they are empty where
// Redis asks for none. No error holds the password.
func (r *Redis) Credentials() (user, password string, err error) {
	a, err := r.access()
	switch {
	case err != nil:
		return "", "", err
	case a.PasswordPath == "":
		return a.User, a.Password, nil
	case a.Password != "":
		return "", "", fmt.Errorf("%s: redis: password and password_path exclude each other", r.Source)
	}
	text, err := os.ReadFile(a.PasswordPath)
	if err != nil {
		return "", "", fmt.Errorf("%s: redis: password_path: %w", r.Source, err)
	}
	return a.User, strings.TrimSpace(string(text)), nil
}

// TLSConfig is nil where Synapse's file asks for no TLS (use_tls). The server's certificate is verified, which Synapse
// itself does not do: by ca_file, or else ca_path, or else the system's authorities. The certificate of the client is
// read again for each connection.
func (r *Redis) TLSConfig() (*tls.Config, error) {
	if !r.TLS {
		return nil, nil
	}
	a, err := r.access()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.RootCAs, err = a.authorities(); err != nil {
		return nil, fmt.Errorf("%s: redis: %w", r.Source, err)
	}
	if a.Certificate != "" {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(a.Certificate, a.Key)
			return &pair, err
		}
	}
	return c, nil
}

// authorities are nil for those of the system.
func (a redisAccess) authorities() (*x509.CertPool, error) {
	files := []string{a.CAFile}
	switch {
	case a.CAFile == "" && a.CAPath == "":
		return nil, nil
	case a.CAFile == "":
		var err error
		if files, err = filepath.Glob(filepath.Join(a.CAPath, "*")); err != nil {
			return nil, fmt.Errorf("ca_path: %w", err)
		}
	}
	pool, found := x509.NewCertPool(), false
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("authorities: %w", err)
		}
		found = pool.AppendCertsFromPEM(text) || found
	}
	if !found {
		return nil, errors.New("ca_file, ca_path: no certificate of an authority is there")
	}
	return pool, nil
}
