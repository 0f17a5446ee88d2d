package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// certify writes a new certificate with a serial number, and its key, into files.
func (s *site) certify(t *testing.T, serial int64, certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "example.org"}, DNSNames: []string{"example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	// In place, as a careless script does.
	if err := errors.Join(
		os.WriteFile(s.path(certificate), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(s.path(key), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
}

func (s *site) handshake() (*tls.Conn, int64, error) {
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", s.front, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil, 0, err
	}
	return c, c.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

// shows waits until new connections get the certificate with a serial number.
func (s *site) shows(t *testing.T, serial int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("certificate %d", serial), func() error {
		c, got, err := s.handshake()
		if err != nil {
			return err
		}
		defer c.Close()
		if got != serial {
			return fmt.Errorf("certificate %d", got)
		}
		return nil
	})
}

// renewals are the ways in which a certificate is replaced: live is the folder that axon.yaml names, and next a folder with the new
// certificate and its key.
var renewals = map[string]struct {
	prepare, renew func(s *site, next string) error
	alone          bool // Envoy notices it even while no Axon is there
}{
	"as Kubernetes does": {
		prepare: func(s *site, next string) error {
			return errors.Join(os.Mkdir(s.path("live"), 0o700), os.Symlink("../"+next, s.path("live/..data")),
				os.Symlink("..data/crt.pem", s.path("live/crt.pem")), os.Symlink("..data/key.pem", s.path("live/key.pem")))
		},
		renew: func(s *site, next string) error {
			return errors.Join(os.Symlink("../"+next, s.path("live/..new")), os.Rename(s.path("live/..new"), s.path("live/..data")))
		},
		alone: true,
	},
	"as certbot does": {
		prepare: func(s *site, next string) error {
			return errors.Join(os.Mkdir(s.path("live"), 0o700),
				os.Symlink("../"+next+"/crt.pem", s.path("live/crt.pem")), os.Symlink("../"+next+"/key.pem", s.path("live/key.pem")))
		},
		renew: func(s *site, next string) error {
			return errors.Join(os.Remove(s.path("live/key.pem")), os.Symlink("../"+next+"/key.pem", s.path("live/key.pem")),
				os.Remove(s.path("live/crt.pem")), os.Symlink("../"+next+"/crt.pem", s.path("live/crt.pem")))
		},
	},
	"written in place": {
		prepare: func(s *site, next string) error {
			return errors.Join(os.Mkdir(s.path("live"), 0o700), s.over(next))
		},
		renew: (*site).over,
	},
}

// over writes over what is there.
func (s *site) over(next string) error {
	var faults []error
	for _, name := range []string{"/crt.pem", "/key.pem"} {
		content, err := os.ReadFile(s.path(next + name))
		faults = append(faults, err, os.WriteFile(s.path("live"+name), content, 0o600))
	}
	return errors.Join(faults...)
}

func TestRenewedCertificatesAreUsed(t *testing.T) {
	t.Parallel()
	for name, test := range renewals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			for i := range 3 {
				next := fmt.Sprintf("v%d", i+1)
				if err := os.Mkdir(s.path(next), 0o700); err != nil {
					t.Fatal(err)
				}
				s.certify(t, int64(i+1), next+"/crt.pem", next+"/key.pem")
			}
			if err := test.prepare(s, "v1"); err != nil {
				t.Fatal(err)
			}
			s.configure(t, "  - address: FRONT", "  - {address: FRONT, tls: {certificate: live/crt.pem, key: live/key.pem}}")
			p := s.launch(t, "axon", "run", "-c", s.path("axon.yaml"))
			s.shows(t, 1)
			listener, answered := s.listenerChanges(t), s.held(t)

			if err := test.renew(s, "v2"); err != nil {
				t.Fatal(err)
			}
			s.shows(t, 2)
			if test.alone {
				p.kill()
			}
			if err := test.renew(s, "v3"); err != nil {
				t.Fatal(err)
			}
			s.shows(t, 3)
			now := s.listenerChanges(t)
			now["listener_manager.lds.update_failure"] = 0 // attempts to reach an Axon that was killed
			if diff := cmp.Diff(listener, now); diff != "" {
				t.Errorf("the listener has changed (-before +after)\n%s", diff)
			}
			answered()
		})
	}
}

func TestACertificateThatDoesNotFitItsKeyIsNotUsed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.certify(t, 1, "crt.pem", "key.pem")
	s.configure(t, "  - address: FRONT", "  - {address: FRONT, tls: {certificate: crt.pem, key: key.pem}}")
	p := s.launch(t, "axon", "run", "-c", s.path("axon.yaml"))
	s.shows(t, 1)
	s.certify(t, 2, "crt.pem", "another.pem")
	p.says(t, "a new certificate is of no use")
	s.shows(t, 1)
	s.certify(t, 3, "crt.pem", "key.pem")
	s.shows(t, 3)

	s.certify(t, 4, "crt.pem", "another.pem")
	check := s.command(t, "axon", "check", "-c", s.path("axon.yaml"))
	said, err := check.CombinedOutput()
	if check.ProcessState.ExitCode() != 1 || !strings.Contains(string(said), "KEY_VALUES_MISMATCH") {
		t.Errorf("axon check: %v\n%s", err, said)
	}
	render := s.axon(t, "render", "-c", s.path("axon.yaml"))
	if !strings.Contains(render.out, s.path("crt.pem")) || strings.Contains(render.out, "sds_config") {
		t.Errorf("axon render: %s%s", render.out, render.err)
	}
}

// held keeps a request waiting on a connection of its own, and gives the function that sees it live and then be answered: it is
// half of a request, whose other half is sent then.
func (s *site) held(t *testing.T) (answered func()) {
	t.Helper()
	c, _, err := s.handshake()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	body := `{"type":"m.login.password"}`
	_, err = fmt.Fprintf(c, "POST /_matrix/client/v3/login HTTP/1.1\r\nhost: example.org\r\ncontent-length: %d\r\n\r\n%s", len(body), body[:5])
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if _, err := c.Write([]byte(body[5:])); err != nil {
			t.Errorf("the held request was cut: %v", err)
			return
		}
		_ = c.SetReadDeadline(time.Now().Add(limit))
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("the held request was cut: %v", err)
			return
		}
		answer.Body.Close()
		if answer.StatusCode >= 500 {
			t.Errorf("the held request: %s", answer.Status)
		}
	}
}
