package envoy

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// A stand-in shows what the client makes of an answer; the tests of the Supervisor show the same on the real Envoy.
func TestAdmin(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "admin.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{
		"/stats": `{"stats":[{"name":"http.admin.downstream_rq_active","value":1},{"name":"http.a.downstream_rq_active","value":3},
			{"name":"http.b.downstream_rq_active","value":4},{"name":"some.text","value":"x"},{"histograms":{}}]}`,
		"/server_info": `{"version":"1/1.40.0/Clean","state":"LIVE","unheard_of":1}`,
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, ok := answers[r.URL.Path]; ok {
			_, _ = w.Write([]byte(body))
			return
		}
		http.Error(w, "PRE_INITIALIZING", http.StatusServiceUnavailable)
	})}}
	server.Start()
	t.Cleanup(server.Close)
	admin, err := NewAdmin("unix:" + socket)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := admin.InFlight(t.Context()); err != nil || n != 7 {
		t.Errorf("InFlight = %d, %v; want 7", n, err)
	}
	if info, err := admin.ServerInfo(t.Context()); err != nil || info.GetVersion() != "1/1.40.0/Clean" {
		t.Errorf("ServerInfo = %v, %v", info, err)
	}
	if err := admin.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "PRE_INITIALIZING") {
		t.Errorf("Ready = %v", err)
	}
	if _, err := NewAdmin("here"); err == nil {
		t.Error("no error for an address that is none")
	}
}
