package standin_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"axon/demo/standin"
)

// processes are the kinds of process that the cases below ask.
var processes = map[string]standin.Config{
	"main":         {Resources: []string{standin.Client, standin.Federation}, MediaRepo: true},
	"worker":       {Resources: []string{standin.Client}, MediaRepo: true},
	"no-media":     {Resources: []string{standin.Client, standin.Federation}},
	"media":        {Resources: []string{standin.Client, standin.Media}, MediaRepo: true},
	"federation":   {Resources: []string{standin.Federation}},
	"typing-typer": {Resources: []string{standin.Client}},
}

func TestWorkerAnswersAsSynapseDoes(t *testing.T) {
	const (
		v3       = "/_matrix/client/v3"
		room     = v3 + "/rooms/!a:example.org"
		escaped  = v3 + "/rooms/%21a%3Aexample.org"
		whoami   = v3 + "/account/whoami"
		toDevice = v3 + "/sendToDevice/m.room.encrypted/1"
		sliding  = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
		delayed  = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events"
	)
	bare := func(method, target string) request { return request{method: method, target: target} }
	tests := map[string]struct {
		process string
		request request
		status  int
		want    string // errcode of an error, a key of the answer else; empty for neither
	}{
		"whoami answers a native token":                  {"worker", request{method: "GET", target: whoami, token: "syt_YWxpY2U_one"}, 200, "user_id"},
		"whoami answers an opaque token under r0":        {"worker", get("/_matrix/client/r0/account/whoami"), 200, "user_id"},
		"whoami answers a token in the query":            {"worker", bare("GET", whoami+"?access_token=mat_two"), 200, "user_id"},
		"whoami refuses an unknown token":                {"worker", request{method: "GET", target: whoami, token: "mat_three"}, 401, "M_UNKNOWN_TOKEN"},
		"whoami refuses a request without a token":       {"worker", bare("GET", whoami), 401, "M_MISSING_TOKEN"},
		"whoami refuses header and query together":       {"worker", get(whoami + "?access_token=mat_two"), 401, "M_MISSING_TOKEN"},
		"whoami refuses a lower-case bearer":             {"worker", request{method: "GET", target: whoami, header: http.Header{"Authorization": {"bearer mat_two"}}}, 401, "M_MISSING_TOKEN"},
		"health needs no resource":                       {"federation", bare("GET", "/health"), 200, ""},
		"an initial sync has a next_batch":               {"worker", get(v3 + "/sync"), 200, "next_batch"},
		"a sync without a token is refused":              {"worker", bare("GET", v3+"/sync"), 401, "M_MISSING_TOKEN"},
		"a simplified sliding sync has a pos":            {"worker", post(sliding), 200, "pos"},
		"a sent event has an ID":                         {"worker", put(escaped + "/send/m.room.message/1"), 200, "event_id"},
		"messages have a chunk":                          {"worker", get(room + "/messages?dir=b"), 200, "chunk"},
		"a login yields a token":                         {"worker", post(v3 + "/login"), 200, "access_token"},
		"an unheard-of client path is answered":          {"worker", get(v3 + "/something/new"), 200, ""},
		"a path outside of Matrix is not":                {"worker", get("/index.html"), 404, ""},
		"the stream's writer takes typing":               {"typing-typer", put(room + "/typing/" + alice), 200, ""},
		"a worker that is no writer fails on typing":     {"worker", put(room + "/typing/" + alice), 500, "M_UNKNOWN"},
		"main fails on typing that was moved off it":     {"main", put(room + "/typing/" + alice), 500, "M_UNKNOWN"},
		"main takes to-device messages nobody moved":     {"main", put(toDevice), 200, ""},
		"a worker fails on to-device messages":           {"worker", put(toDevice), 500, "M_UNKNOWN"},
		"a worker fails on a receipt":                    {"worker", post(room + "/receipt/m.read/$b"), 500, "M_UNKNOWN"},
		"a worker fails on read markers":                 {"worker", post(room + "/read_markers"), 500, "M_UNKNOWN"},
		"a worker fails on another user's presence":      {"worker", get(v3 + "/presence/@bob:example.org/status"), 500, "M_UNKNOWN"},
		"a worker tells a user's own presence":           {"worker", get(v3 + "/presence/" + alice + "/status"), 200, ""},
		"a worker takes account data, which it proxies":  {"worker", put(v3 + "/user/" + alice + "/account_data/x"), 200, ""},
		"a worker knows no logout":                       {"worker", post(v3 + "/logout"), 404, "M_UNRECOGNIZED"},
		"main knows logout":                              {"main", post(v3 + "/logout"), 200, ""},
		"a worker reads delayed events":                  {"worker", get(delayed), 200, ""},
		"a worker does not end delayed events":           {"worker", post(delayed + "/1/cancel"), 404, "M_UNRECOGNIZED"},
		"federation needs its resource":                  {"worker", bare("GET", "/_matrix/federation/v1/version"), 404, ""},
		"keys come with federation":                      {"federation", bare("GET", "/_matrix/key/v2/server"), 200, ""},
		"a federation transaction is taken":              {"federation", bare("PUT", "/_matrix/federation/v1/send/1"), 200, "pdus"},
		"client paths need the client resource":          {"federation", get(v3 + "/sync"), 404, ""},
		"old media paths need the media resource":        {"worker", get("/_matrix/media/v3/config"), 404, ""},
		"the client resource serves authenticated media": {"worker", get("/_matrix/client/v1/media/config"), 200, ""},
		"a process without media knows no media":         {"no-media", get("/_matrix/client/v1/media/config"), 404, "M_UNRECOGNIZED"},
		"an upload has a content URI":                    {"media", post("/_matrix/media/v3/upload"), 200, "content_uri"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := processes[tt.process]
			c.Name = tt.process
			a := ask(t, start(t, c), tt.request)
			if a.status != tt.status {
				t.Errorf("status %d, want %d: %s", a.status, tt.status, a.body)
			}
			if got := a.header.Get(standin.WorkerHeader); got != tt.process {
				t.Errorf("answered by %q", got)
			}
			if tt.want != "" {
				assertHas(t, a.body, tt.status, tt.want)
			}
		})
	}
}

func assertHas(t *testing.T, body string, status int, want string) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if _, ok := got[want]; !ok && (status == 200 || got["errcode"] != want) {
		t.Errorf("want %s in %s", want, body)
	}
}
