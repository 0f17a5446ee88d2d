package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"axon/server/identity"
	"axon/xds/plan"
	"axon/xds/topology"
	"axon/yamlfile"
)

// authority makes certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, dir, name string) authority {
	t.Helper()
	a := authority{}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.certificate, a.key = a.issue(t, template, filepath.Join(dir, name+".crt"), "")
	return a
}

// pair writes a certificate for both sides, and its key.
func (a authority) pair(t *testing.T, dir, name string) (certificate, key string) {
	t.Helper()
	certificate, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	a.issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, certificate, key)
	return certificate, key
}

func (a authority) issue(t *testing.T, template *x509.Certificate, certificateFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	write(t, certificateFile, "CERTIFICATE", der)
	if keyFile != "" {
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		write(t, keyFile, "PRIVATE KEY", private)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed, key
}

func write(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// site is a folder of certificates: the server's and a stranger's.
func site(t *testing.T) (dir string, c TLSConfig) {
	t.Helper()
	dir = t.TempDir()
	ca := newAuthority(t, dir, "ca")
	newAuthority(t, dir, "other-ca").pair(t, dir, "stranger")
	ca.pair(t, dir, "client")
	c.Certificate, c.Key = ca.pair(t, dir, "axon.test")
	c.ClientCA = filepath.Join(dir, "ca.crt")
	return dir, c
}

// serveTLS gives the address.
func serveTLS(t *testing.T, c TLSConfig) string {
	t.Helper()
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	health := NewHealth()
	health.SetReady(true)
	authz := NewAuthz(Options{Resolver: resolver(everybody), Policy: identity.DefaultPolicy(), Log: quiet()})
	certificates, err := c.Credentials()
	if err != nil {
		t.Fatal(err)
	}
	s := NewAuthzServer(authz, health, certificates...)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

// reach asks for the server's health; certificate is the name of a pair in dir, empty for none.
func reach(t *testing.T, address, dir, certificate string) error {
	t.Helper()
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots.AppendCertsFromPEM(ca)
	config := &tls.Config{RootCAs: roots, ServerName: "axon.test"}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, certificate+".crt"), filepath.Join(dir, certificate+".key"))
		if err != nil {
			t.Fatal(err)
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	return err
}

func TestOnlyThoseWithACertificateMayAsk(t *testing.T) {
	dir, c := site(t)
	address := serveTLS(t, c)
	for certificate, welcome := range map[string]bool{"client": true, "stranger": false, "": false} {
		if err := reach(t, address, dir, certificate); (err == nil) != welcome {
			t.Errorf("with certificate %q: %v", certificate, err)
		}
	}
}

func TestARenewedCertificateNeedsNoRestart(t *testing.T) {
	dir, c := site(t)
	address := serveTLS(t, c)
	renewed, _ := site(t)
	for _, file := range []string{"ca.crt", "axon.test.crt", "axon.test.key"} {
		content, err := os.ReadFile(filepath.Join(renewed, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := reach(t, address, renewed, "client"); err != nil {
		t.Error(err)
	}
}

func TestEnvoyReachesAxonThroughTCPWithCertificates(t *testing.T) {
	dir, c := site(t)
	address, err := topology.ParseAddress(serveTLS(t, c))
	if err != nil {
		t.Fatal(err)
	}
	forEnvoy, ok := TLSConfig{Certificate: "x", Key: "x", ClientCA: "x", Envoy: EnvoyTLS{
		Certificate: filepath.Join(dir, "client.crt"), Key: filepath.Join(dir, "client.key"), CA: c.ClientCA, ServerName: "axon.test",
	}}.ForEnvoy(address.String())
	if !ok {
		t.Fatal("no TLS")
	}
	id := identityAt("")
	id.Address, id.TLS = address, &plan.IdentityTLS{Certificate: forEnvoy.Certificate, Key: forEnvoy.Key, CA: forEnvoy.CA, ServerName: forEnvoy.ServerName}
	id.Enforce, id.FailClosed = true, true // a request goes on only with an answer
	d := openDoor(t, id, nil)
	response, body := d.send(t, "GET", "/_matrix/client/v3/sync", "", "Authorization", "Bearer of_alice")
	if response.StatusCode != http.StatusOK || saw(t, body).Header.Get("X-User-Identifier") != "@alice:example.org" {
		t.Errorf("%d: %s", response.StatusCode, body)
	}
}

func TestAuthzConfigFaults(t *testing.T) {
	_, c := site(t)
	tcp := func(change func(*TLSConfig)) AuthzConfig {
		with := c
		change(&with)
		return AuthzConfig{Address: "127.0.0.1:1", Mode: "0660", TLS: with}
	}
	file, err := yamlfile.Parse("axon.yaml", []byte("authz:\n  mode: 888\n  tls: {certificate: x}\n"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		config AuthzConfig
		fault  string
	}{
		"a mode":                     {AuthzConfig{Address: "unix:/s", Mode: "600"}, ""},
		"a mode that is none":        {AuthzConfig{Address: "unix:/s", Mode: "888"}, `axon.yaml:2:3: authz.mode: "888": must be permissions in octal`},
		"no mode":                    {AuthzConfig{Address: "unix:/s"}, "authz.mode"},
		"certificates on both sides": {tcp(func(c *TLSConfig) { c.Envoy.ServerName = "axon.test" }), ""},
		"half a pair":                {tcp(func(c *TLSConfig) { c.Key = "" }), "axon.yaml:3:3: authz.tls: wants certificate, key and client_ca"},
		"nobody who may ask":         {tcp(func(c *TLSConfig) { c.ClientCA = "" }), "client_ca"},
		"no name that the certificate is good for": {tcp(func(*TLSConfig) {}), "server_name"},
		"a unix socket": {AuthzConfig{Address: "unix:/s", Mode: "0660", TLS: c}, "a unix socket has none"},
		"a name that the certificate may be as well": {AuthzConfig{Address: "axon.test:1", Mode: "0660", TLS: c}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.config.Validate(file)
			if (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("fault %v, want %q", err, tt.fault)
			}
		})
	}
}

func TestCertificatesThatCannotBeUsed(t *testing.T) {
	dir, c := site(t)
	missing, empty := c, c
	missing.Certificate, empty.ClientCA = filepath.Join(dir, "none"), c.Key
	for want, config := range map[string]TLSConfig{"no such file": missing, "no PEM block CERTIFICATE in it": empty} {
		if _, err := config.Credentials(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("fault %v, want %q", err, want)
		}
	}
}

func TestASocketHasTheConfiguredMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := AuthzConfig{Address: "unix:" + path, Mode: "0606"}.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o606 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestWhoIsTrusted(t *testing.T) {
	for config, want := range map[AuthzConfig]bool{
		{Address: "unix:/s"}: true, {Address: "10.0.0.1:1"}: false, {Address: "10.0.0.1:1", TLS: TLSConfig{Certificate: "x"}}: true,
	} {
		if got := config.Trusted(); got != want {
			t.Errorf("%v: %v", config, got)
		}
	}
}
