package envoy

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const clustersAnswer = `{"cluster_statuses":[
 {"name":"sync","observability_name":"sync","unheard_of":1,"host_statuses":[
  {"hostname":"sync-1","health_status":{"eds_health_status":"DRAINING"},"stats":[{"name":"rq_total","value":"9"},{"name":"rq_error"},
   {"type":"GAUGE","name":"rq_active","value":"2"},{"type":"GAUGE","name":"cx_active","value":"3"}]},
  {"hostname":"sync-2","health_status":{"eds_health_status":"HEALTHY","failed_active_health_check":true},"stats":[{"name":"rq_error","value":"4"}]},
  {"hostname":"sync-3","health_status":{"eds_health_status":"HEALTHY","pending_active_hc":true}}]},
 {"name":"empty"}]}`

func TestClusters(t *testing.T) {
	long := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case long:
			_, _ = w.Write([]byte(strings.Repeat(" ", maxAnswer+1)))
		case r.URL.Path == "/stats":
			_, _ = w.Write([]byte(`{"stats":[{"name":"cluster.sync.health_check.attempt","value":1},{"name":"cluster.sync.upstream_cx_active","value":5}]}`))
		default:
			_, _ = w.Write([]byte(clustersAnswer))
		}
	}))
	t.Cleanup(server.Close)
	admin, err := NewAdmin(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := admin.Clusters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Cluster{
		{Name: "sync", Checked: true, Connections: 5, Hosts: []Host{
			{Name: "sync-1", Healthy: true, Draining: true, Active: 2, Total: 9, Connections: 3},
			{Name: "sync-2", Errors: 4},
			{Name: "sync-3"},
		}},
		{Name: "empty"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	long = true
	if _, err := admin.Clusters(t.Context()); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("an answer without end: %v", err)
	}
}
