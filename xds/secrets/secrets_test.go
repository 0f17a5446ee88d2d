package secrets

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"axon/xds/translate"
)

func TestSpelled(t *testing.T) {
	path, seen := filepath.Join(t.TempDir(), "crt.pem"), map[string]bool{}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 512 {
		other := spelled(path, []byte{byte(i), byte(i >> 8)})
		content, err := os.ReadFile(other)
		if err != nil || string(content) != "x" || filepath.Clean(other) != path {
			t.Fatalf("%q: %v", other, err)
		}
		seen[other] = true
	}
	if len(seen) != 512 {
		t.Errorf("%d spellings", len(seen))
	}
	for path, digest := range map[string][]byte{"/tls/crt.pem": nil, "crt.pem": {1, 2}} {
		if got := spelled(path, digest); got != path {
			t.Errorf("%q became %q", path, got)
		}
	}
}

// ask opens a stream that asks for names.
func ask(t *testing.T, names ...string) secretv3.SecretDiscoveryService_DeltaSecretsClient {
	t.Helper()
	s, listener, g := New(slog.New(slog.DiscardHandler)), bufconn.Listen(1<<20), grpc.NewServer()
	s.Register(g)
	go func() { _ = g.Serve(listener) }()
	t.Cleanup(func() { s.Close(); g.Stop() })
	c, err := grpc.NewClient("passthrough:///test", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	stream, err := secretv3.NewSecretDiscoveryServiceClient(c).DeltaSecrets(ctx)
	if err == nil {
		err = stream.Send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: resourcev3.SecretType, ResourceNamesSubscribe: names})
	}
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// told is the certificate that comes next; it is accepted.
func told(t *testing.T, stream secretv3.SecretDiscoveryService_DeltaSecretsClient) *tlsv3.TlsCertificate {
	t.Helper()
	answer, err := stream.Recv()
	if err != nil || len(answer.GetResources()) != 1 {
		t.Fatal(answer, err)
	}
	secret := &tlsv3.Secret{}
	if err := answer.GetResources()[0].GetResource().UnmarshalTo(secret); err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: resourcev3.SecretType, ResponseNonce: answer.GetNonce()}); err != nil {
		t.Fatal(err)
	}
	return secret.GetTlsCertificate()
}

func TestOnlyNamesOfFilesAreTold(t *testing.T) {
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "crt.pem"), filepath.Join(dir, "key.pem")
	if err := errors.Join(os.WriteFile(certificate, []byte("CONTENT"), 0o600), os.WriteFile(key, []byte("CONTENT"), 0o600)); err != nil {
		t.Fatal(err)
	}
	got := told(t, ask(t, translate.CertificateName(certificate, key)))
	if filepath.Clean(got.GetCertificateChain().GetFilename()) != certificate || got.GetPrivateKey().GetFilename() != key {
		t.Error(got)
	}
	if text := fmt.Sprint(got); strings.Contains(text, "CONTENT") {
		t.Error(text)
	}
}

func TestFilesThatOnlyEnvoyCanReadAreToldAsTheyAre(t *testing.T) {
	got := told(t, ask(t, translate.CertificateName("/nonexistent/crt.pem", "/nonexistent/key.pem")))
	if got.GetCertificateChain().GetFilename() != "/nonexistent/crt.pem" {
		t.Error(got)
	}
}

func TestNamesAreBounded(t *testing.T) {
	s := New(slog.New(slog.DiscardHandler))
	defer s.Close()
	var names []string
	for i := range 2 * maxNames {
		names = append(names, translate.CertificateName(fmt.Sprintf("/%d.crt", i), "/key"))
	}
	s.asked(append(names, "no certificate"), nil)
	if got := s.cache.NumResources(); got != maxNames {
		t.Errorf("%d names are followed", got)
	}
}
