package secrets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
)

// lookPause is between looks at the files; a change has to have stood still from one to the next.
const lookPause = time.Second

// files are those of one certificate, with digests of the certificate's content. A nil digest: it can't be read by us, which
// need not mean that Envoy can't.
type files struct {
	certificate, key string
	now, last, told  []byte
	complained       []byte // of one that does not fit its key
}

func (f *files) look() {
	f.last, f.now = f.now, nil
	if content, err := os.ReadFile(f.certificate); err == nil {
		sum := sha256.Sum256(content)
		f.now = sum[:]
	}
}

// changed says whether the content is another one than Envoy was told of, and stands still.
func (f *files) changed() bool {
	return f.now != nil && bytes.Equal(f.now, f.last) && !bytes.Equal(f.now, f.told)
}

// fits says what is wrong with the pair, as far as we may read it.
func (f *files) fits() error {
	_, err := tls.LoadX509KeyPair(f.certificate, f.key)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

func (f *files) secret() *tlsv3.TlsCertificate {
	return &tlsv3.TlsCertificate{CertificateChain: source(spelled(f.certificate, f.told)), PrivateKey: source(f.key)}
}

func source(path string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: path}}
}

// spelled writes a path in one of 65,536 ways, by the digest of what stands there. Envoy reads the files of a secret again only when
// the secret has changed (sds_api.cc compares hashes), and a path is all that there is in it to change.
func spelled(path string, digest []byte) string {
	dir, name := filepath.Split(path)
	if digest == nil || dir == "" {
		return path
	}
	var b strings.Builder
	b.WriteString(dir)
	for i := range 16 {
		if digest[i/8]>>(i%8)&1 == 1 {
			b.WriteByte('.')
		}
		b.WriteByte('/')
	}
	b.WriteString(name)
	return b.String()
}

// follow tells Envoys of changes until ctx ends.
func (s *Server) follow(ctx context.Context) {
	tick := time.NewTicker(lookPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.lookAll()
		}
	}
}

func (s *Server) lookAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, f := range s.files {
		if f.look(); !f.changed() {
			continue
		}
		if err := f.fits(); err != nil {
			if !bytes.Equal(f.complained, f.now) {
				s.log.Error("a new certificate is of no use: the one before stays in force", "certificate", f.certificate, "error", err)
			}
			f.complained = f.now
			continue
		}
		s.log.Info("a certificate was renewed: new connections get it", "certificate", f.certificate)
		s.tell(name, f)
	}
}
