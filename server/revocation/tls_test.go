package revocation

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFollowOverTLS(t *testing.T) {
	certificate, key, authorities := certificates(t)
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	s := startRedis(t, "--tls-port", port, "--bind", "127.0.0.1", "--tls-cert-file", certificate, "--tls-key-file", key,
		"--tls-auth-clients", "no")
	f := follow(t, Options{Address: address, TLS: &tls.Config{RootCAs: authorities}}, usual)
	f.connected(t, 1)
	publish(t, s.client(t, "", ""), channel, logout)
	eventually(t, "the token is forgotten", func() bool { return f.notes.count("token secret") > 0 })

	f = follow(t, Options{Address: address, TLS: &tls.Config{}}, usual)
	eventually(t, "a certificate of an unknown authority is told of", func() bool {
		return strings.Contains(f.log.String(), "unknown authority")
	})
}

// certificates are those that net/http/httptest has for 127.0.0.1.
func certificates(t *testing.T) (certificate, key string, authorities *x509.CertPool) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pair := server.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	authorities = x509.NewCertPool()
	authorities.AddCert(server.Certificate())
	return pemFile(t, "CERTIFICATE", pair.Certificate[0]), pemFile(t, "PRIVATE KEY", private), authorities
}

func pemFile(t *testing.T, kind string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
