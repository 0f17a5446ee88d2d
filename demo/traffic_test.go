package demo

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"axon/demo/standin"
)

func deployment(t *testing.T) *Deployment {
	t.Helper()
	d, err := New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(d.Dir()); !os.IsNotExist(err) {
			t.Errorf("the folder %s is still there: %v", d.Dir(), err)
		}
	})
	return d
}

// play runs traffic until enough says so.
func play(t *testing.T, traffic *Traffic, enough func(Stats) bool) Stats {
	t.Helper()
	traffic.pace = 2 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); traffic.Run(ctx) }()
	for !enough(traffic.Stats()) {
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	<-done
	return traffic.Stats()
}

// allHit says whether all rows were hit, and those of users, rooms and origins by two parties at least.
func allHit(s Stats) bool {
	for _, section := range []Section{s.Users, s.Rooms, s.Origins} {
		for _, r := range section.Rows {
			if _, known := r.Together(); !known {
				return false
			}
		}
	}
	for _, r := range s.Rest.Rows {
		if len(r.Landed) == 0 {
			return false
		}
	}
	return true
}

func TestBehindACorrectFrontDoorNothingFailsAndAllStaysTogether(t *testing.T) {
	d := deployment(t)
	frontDoor(t, d)
	s := play(t, d.Traffic(), allHit)
	if s.Failed > 0 {
		t.Errorf("%d of %d requests failed: %v", s.Failed, s.Requests, s.Faults)
	}
	if s.Syncs == 0 || s.Named != s.Syncs {
		t.Errorf("%d of %d syncs were named", s.Named, s.Syncs)
	}
	for _, section := range []Section{s.Users, s.Rooms, s.Origins} {
		for _, r := range section.Rows {
			if together, _ := r.Together(); !together {
				t.Errorf("%s was parted: %v", r.Name, r.Last)
			}
		}
	}
	rows := map[string][]string{}
	for _, r := range s.Rest.Rows {
		for w := range r.Landed {
			rows[r.Name] = append(rows[r.Name], w)
		}
	}
	want := map[string][]string{
		"initial sync": {"initial-sync-1"}, "messages": {"client-reader-1"}, "typing": {streamWriter},
		"receipt": {streamWriter}, "to-device": {streamWriter}, "upload": {"media-1"}, "download": {"media-1"},
		"login": {"main"}, "profile": {"main"}, "federation version": rows["federation version"],
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
}

func TestFaultsAreCountedAndNeverQuoteATokenOrEndTheTraffic(t *testing.T) {
	d := deployment(t)
	worker := func(name string) string { return "http://" + d.Worker(name).Address() }
	tests := map[string]struct{ url, want string }{
		"nobody listens":           {"http://" + loopback(d.ports.envoyAdmin), "initial sync: no answer"},
		"the wrong worker writes":  {worker("sync-1"), "typing: 500 by sync-1"},
		"a resource is not there":  {worker("sync-1"), "federation send: 404 by sync-1"},
		"an answer is no worker's": {answering(t, nil), "send: 200 by no worker"},
		"a path is changed":        {answering(t, http.Header{standin.EchoPath: {"/x"}}), "login: path changed on the way"},
		"a private header leaks":   {answering(t, http.Header{standin.EchoAffinity: {"YQ"}}), "login: private header got to w"},
		"an identity is another's": {answering(t, http.Header{standin.EchoUser: {"@eve:x"}}), "sliding sync: identity of another user"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := play(t, newTraffic(tt.url, d.devices), func(s Stats) bool { return s.Faults[tt.want] > 1 })
			for fault := range s.Faults {
				for _, device := range d.devices {
					if strings.Contains(fault, device.token) {
						t.Errorf("a fault quotes the token of %s", device.user)
					}
				}
			}
		})
	}
}

// answering answers everything with 200, as worker w where there are echo headers.
func answering(t *testing.T, echo http.Header) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if echo != nil {
			rw.Header().Set(standin.WorkerHeader, "w")
			rw.Header().Set(standin.EchoPath, r.RequestURI)
			maps.Copy(rw.Header(), echo)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}
