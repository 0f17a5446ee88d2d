package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
)

// Admin is what the operator's server shows. It is for trusted networks: it asks for no password.
type Admin struct {
	Metrics prometheus.Gatherer
	// Ready gives nil once a snapshot is published, and until then what it waits for.
	Ready func() error
	// GRPC answers calls (HTTP/2 without TLS) at the same address; nil for none.
	GRPC *grpc.Server
	Log  *slog.Logger
}

const page = `Axon

/metrics   numbers for Prometheus
/healthz   200: the process is up
/readyz    200: a snapshot is published; 503: not yet
gRPC       axon status --admin ADDRESS
`

// Server makes the HTTP server; Serve and Shutdown are the caller's. There is no write time-out: it would cut a gRPC
// stream.
func (a Admin) Server() *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           a.handler(),
		Protocols:         &protocols,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(a.Log.Handler(), slog.LevelWarn),
	}
}

func (a Admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.Metrics, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(a.Log.Handler(), slog.LevelWarn), MaxRequestsInFlight: 8, EnableOpenMetrics: true,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "up\n") })
	mux.HandleFunc("GET /readyz", a.ready)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, page) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.GRPC != nil && r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			a.GRPC.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (a Admin) ready(w http.ResponseWriter, _ *http.Request) {
	if err := a.Ready(); err != nil {
		plain(w, http.StatusServiceUnavailable, fmt.Sprintf("not ready: %v\n", err))
		return
	}
	plain(w, http.StatusOK, "ready\n")
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text) // the reader may be gone
}

// ErrNotPublished is what Ready says before the first snapshot.
var ErrNotPublished = errors.New("no snapshot is published yet")
