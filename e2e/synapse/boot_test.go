package synapse_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"axon/e2e/synapse"
)

func TestStartServesKillsAndRestarts(t *testing.T) {
	hs := synapse.Start(t, synapse.Options{
		Workers: synapse.Small(),
		Config:  "public_baseurl: https://matrix.axon.test/",
	})
	const worker = "generic-worker-1"
	url := hs.Endpoint(worker)

	if status := get(t, url+"/_matrix/client/v3/login?access_token=secret", "test 1"); status != http.StatusOK {
		t.Errorf("the worker answered %d", status)
	}
	hs.Kill(worker)
	if _, err := http.Get(url + "/health"); err == nil {
		t.Error("a killed worker still answers")
	}
	hs.Restart(worker)
	if status := get(t, url+"/_matrix/client/v3/no/such/path", "test 2"); status != http.StatusNotFound {
		t.Errorf("the restarted worker answered %d to an unknown path", status)
	}
	get(t, hs.URL+"/_matrix/client/versions", "-")

	want := []synapse.Request{
		{Worker: "main", Method: "GET", Path: "/_matrix/client/versions", Status: 200, Agent: "-", Client: "127.0.0.1"},
		{
			Worker: worker, Method: "GET", Path: "/_matrix/client/v3/login", Query: "access_token=<redacted>",
			Status: 200, Agent: "test 1", Client: "127.0.0.1",
		},
		{
			Worker: worker, Method: "GET", Path: "/_matrix/client/v3/no/such/path",
			Status: 404, Agent: "test 2", Client: "127.0.0.1",
		},
	}
	// An access line follows its answer.
	got := hs.Requests()
	for tries := 0; len(got) < len(want) && tries < 100; tries++ {
		time.Sleep(20 * time.Millisecond)
		got = hs.Requests()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func get(t *testing.T, url, agent string) int {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("User-Agent", agent)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}
