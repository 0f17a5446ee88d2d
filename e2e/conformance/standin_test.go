package conformance

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What an answer tells of who gave it, and of the request that arrived there.
const (
	byHeader     = "X-By"
	targetHeader = "X-Target"
	hostHeader   = "X-Host"
)

// standIn is an HTTP server in the place of a process.
type standIn struct {
	address string
	handler func(w http.ResponseWriter, r *http.Request)
}

// listen starts a stand-in, on a unix socket or on a free port. It answers nothing before it has a handler.
func listen(t *testing.T, unix bool) *standIn {
	t.Helper()
	l, address := listener(t, unix)
	s := &standIn{address: address}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(targetHeader, r.RequestURI)
		w.Header().Set(hostHeader, r.Host+"|"+r.Header.Get("X-Forwarded-Host"))
		s.handler(w, r)
	})}
	done := make(chan struct{})
	t.Cleanup(func() { server.Close(); <-done })
	go func() { defer close(done); _ = server.Serve(l) }()
	return s
}

func listener(t *testing.T, unix bool) (net.Listener, string) {
	t.Helper()
	if !unix {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l, l.Addr().String()
	}
	dir, err := os.MkdirTemp("", "axon")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return l, "unix:" + path
}

// serve makes the stand-in a Synapse process with one listener.
func (p process) serve(resources []string) func(w http.ResponseWriter, r *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		w.Header().Set(byHeader, p.name)
		w.WriteHeader(p.answer(r.Method, path, resources))
	}
}

// masRoutes are all that the Matrix Authentication Service 1.22 serves below /_matrix, under any one segment; tried on a
// real one. It answers 404 to the rest.
var masRoutes = []struct {
	path    *regexp.Regexp
	methods string
}{
	{regexp.MustCompile(`^/_matrix/client/[^/]+/login$`), "GET HEAD POST OPTIONS"},
	{regexp.MustCompile(`^/_matrix/client/[^/]+/(logout|logout/all|refresh)$`), "POST OPTIONS"},
	{regexp.MustCompile(`^/_matrix/client/[^/]+/login/sso/redirect(/[^/]*)?$`), "GET HEAD"},
}

// masAnswer is the status that the Matrix Authentication Service gives.
func masAnswer(method, path string) int {
	for _, route := range masRoutes {
		switch {
		case !route.path.MatchString(path):
		case strings.Contains(" "+route.methods+" ", " "+method+" "):
			return http.StatusOK
		default:
			return http.StatusMethodNotAllowed
		}
	}
	return http.StatusNotFound
}

func serveMAS(w http.ResponseWriter, r *http.Request) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	w.Header().Set(byHeader, masName)
	w.WriteHeader(masAnswer(r.Method, path))
}

// mediaRepoPath is what matrix-media-repo's documentation tells a proxy to send there.
var mediaRepoPath = regexp.MustCompile(`^/_matrix/(media|client/(v1|unstable/org\.matrix\.msc3916)/media|federation/(v1|unstable)/media)/`)

func mediaRepoAnswer(path string) int {
	if mediaRepoPath.MatchString(path) {
		return http.StatusOK
	}
	return http.StatusNotFound
}

func serveMediaRepo(w http.ResponseWriter, r *http.Request) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	w.Header().Set(byHeader, mediaRepoName)
	w.WriteHeader(mediaRepoAnswer(path))
}

// The services beside Synapse.
const (
	masName       = "delegated_auth"
	mediaRepoName = "media_repo"
)
