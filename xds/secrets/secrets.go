// Package secrets tells Envoys in which files the certificates of listeners are (SDS). No certificate and no key passes through
// here: Envoy reads the files itself, and again when another one is moved to their place (as Kubernetes does). What it does not
// notice, a link replaced in two steps (certbot) or a file written in place, Axon sees and makes it read them again.
package secrets

import (
	"context"
	"log/slog"
	"sync"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"

	"axon/xds/translate"
)

// maxNames bounds what clients can make us follow.
const maxNames = 256

// Server answers for every certificate that is named as translate.CertificateName does: it needs no other configuration.
type Server struct {
	log    *slog.Logger
	cache  *cachev3.LinearCache
	server serverv3.Server
	end    context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex
	files map[string]*files // by name
}

// New makes a server that follows the files of what it is asked for, until Close.
func New(log *slog.Logger) *Server {
	ctx, end := context.WithCancel(context.Background())
	s := &Server{log: log, cache: cachev3.NewLinearCache(resourcev3.SecretType), end: end, files: map[string]*files{}}
	s.server = serverv3.NewServer(ctx, s.cache, serverv3.CallbackFuncs{
		StreamRequestFunc: func(_ int64, r *discoveryv3.DiscoveryRequest) error {
			s.asked(r.GetResourceNames(), r.GetErrorDetail())
			return nil
		},
		StreamDeltaRequestFunc: func(_ int64, r *discoveryv3.DeltaDiscoveryRequest) error {
			s.asked(r.GetResourceNamesSubscribe(), r.GetErrorDetail())
			return nil
		},
	})
	s.done.Go(func() { s.follow(ctx) })
	return s
}

// Register adds the service to a gRPC server.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	secretv3.RegisterSecretDiscoveryServiceServer(r, s.server)
}

// Close ends all streams. Envoys go on with what they have, and go on watching its files.
func (s *Server) Close() {
	s.end()
	s.done.Wait()
}

// asked is called before the request is answered.
func (s *Server) asked(names []string, refused *status.Status) {
	if refused != nil {
		s.log.Error("envoy can't use a certificate and keeps what it had", "error", refused.GetMessage())
	}
	for _, name := range names {
		s.know(name)
	}
}

func (s *Server) know(name string) {
	certificate, key, ok := translate.CertificateFiles(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.files[name]; !ok || known || len(s.files) == maxNames {
		return
	}
	f := &files{certificate: certificate, key: key}
	f.look()
	s.files[name] = f
	s.tell(name, f)
}

// tell gives Envoys the present spelling.
func (s *Server) tell(name string, f *files) {
	f.told = f.now
	secret := &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: f.secret()}}
	if err := s.cache.UpdateResource(name, secret); err != nil {
		s.log.Error("a certificate can't be told to envoy", "certificate", f.certificate, "error", err)
	}
}
