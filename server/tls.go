package server

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"axon/yamlfile"
)

// TLSConfig is authz.tls: certificates on both sides. Files are PEM, and are read at each new connection, so that renewed
// ones need no restart. Paths may be relative to axon.yaml.
type TLSConfig struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	// ClientCA signed the certificates of those who may ask.
	ClientCA string `yaml:"client_ca"`
	// Envoy is what the Envoys that Axon configures show and trust; its paths are on their machines. By default they are
	// the three above, for a certificate that is good for both sides.
	Envoy EnvoyTLS `yaml:"envoy"`
}

// EnvoyTLS is authz.tls.envoy.
type EnvoyTLS struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	CA          string `yaml:"ca"`
	// ServerName is a DNS name that Axon's certificate is valid for; by default the host that Envoy is told.
	ServerName string `yaml:"server_name"`
}

func (c TLSConfig) enabled() bool { return c != TLSConfig{} }

// Within resolves the paths on this machine.
func (c TLSConfig) Within(absolute func(path string) string) TLSConfig {
	c.Certificate, c.Key, c.ClientCA = absolute(c.Certificate), absolute(c.Key), absolute(c.ClientCA)
	return c
}

// ForEnvoy fills in the defaults; ok is false where there is no TLS.
func (c TLSConfig) ForEnvoy(address string) (t EnvoyTLS, ok bool) {
	t = c.Envoy
	host, _, _ := net.SplitHostPort(address)
	if _, err := netip.ParseAddr(host); err == nil {
		host = "" // certificates name hosts
	}
	for _, d := range []struct {
		value    *string
		fallback string
	}{{&t.Certificate, c.Certificate}, {&t.Key, c.Key}, {&t.CA, c.ClientCA}, {&t.ServerName, host}} {
		if *d.value == "" {
			*d.value = d.fallback
		}
	}
	return t, c.enabled()
}

func (c TLSConfig) validate(file *yamlfile.File, of AuthzConfig) error {
	if !c.enabled() {
		return nil
	}
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, file.Errorf([]any{"authz", "tls"}, "authz.tls: "+format, args...))
	}
	if network, _, err := split(of.Address); err == nil && network == "unix" {
		fault("a unix socket has none; who may use it is a matter of authz.mode")
	}
	if c.Certificate == "" || c.Key == "" || c.ClientCA == "" {
		fault("wants certificate, key and client_ca")
	}
	if t, _ := c.ForEnvoy(of.Advertised()); t.ServerName == "" {
		fault("envoy.server_name: which DNS name is the certificate valid for? The address that Envoy is told has none")
	}
	return errors.Join(faults...)
}

// CheckFiles gives what is wrong with the files on this machine, each at its key in file, which may be nil. Those under
// envoy are on others'.
func (c TLSConfig) CheckFiles(file *yamlfile.File) error {
	var faults []error
	fault := func(key string, err error) {
		if err != nil {
			faults = append(faults, file.Errorf([]any{"authz", "tls", key}, "authz.tls.%s: %w", key, err))
		}
	}
	certificate, certificateErr := readPEM(c.Certificate, "CERTIFICATE")
	fault("certificate", certificateErr)
	key, keyErr := readPEM(c.Key, "PRIVATE KEY")
	fault("key", keyErr)
	if certificateErr == nil && keyErr == nil && c.Certificate != "" && c.Key != "" {
		_, err := tls.X509KeyPair(certificate, key)
		fault("certificate", err)
	}
	if c.ClientCA != "" {
		_, err := readAuthorities(c.ClientCA)
		fault("client_ca", err)
	}
	return errors.Join(faults...)
}

// readPEM reads a file that has a block whose type ends in kind. An empty path names none.
func readPEM(path, kind string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, kind) {
			return content, nil
		}
	}
	return nil, fmt.Errorf("%s: no PEM block %s in it", path, kind)
}

func readAuthorities(path string) (*x509.CertPool, error) {
	content, err := readPEM(path, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("%s: no certificate in it", path)
	}
	return pool, nil
}

// Credentials are options of a gRPC server: none without TLS. The error says which file cannot be used.
func (c TLSConfig) Credentials() ([]grpc.ServerOption, error) {
	if !c.enabled() {
		return nil, nil
	}
	if _, err := c.load(); err != nil {
		return nil, fmt.Errorf("authz.tls: %w", err)
	}
	return []grpc.ServerOption{grpc.Creds(credentials.NewTLS(&tls.Config{
		MinVersion:         tls.VersionTLS12, // by default Envoy offers no more
		NextProtos:         []string{"h2"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.load() },
	}))}, nil
}

// load reads the files.
func (c TLSConfig) load() (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
	if err != nil {
		return nil, err
	}
	clients, err := readAuthorities(c.ClientCA)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2"},
		Certificates: []tls.Certificate{certificate},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    clients,
	}, nil
}
