package plan

import (
	"strings"
	"testing"
	"time"

	"axon/yamlfile"
)

// configured builds a plan for two workers from the text of an axon.yaml.
func configured(t *testing.T, text string, workers ...string) (*Plan, error) {
	t.Helper()
	file, err := yamlfile.Parse("axon.yaml", []byte("listeners: [{address: \"127.0.0.1:8008\"}]\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	var config Config
	if err := file.DecodeStrict(&config); err != nil {
		return nil, err
	}
	return Build(homeserver(workers...), config, file)
}

func TestLimits(t *testing.T) {
	tests := map[string]struct {
		text    string
		workers []string
		want    map[string]Limit // by cluster
	}{
		"initial syncs have some by themselves": {
			workers: []string{"sync-1", "sync-2"},
			want:    map[string]Limit{"initial_sync": {Requests: 2, Queue: 1000}, "sync": {}, "main": {}},
		},
		"even where main does all": {
			want: map[string]Limit{"initial_sync": {Requests: 2, Queue: 1000}, "main": {}},
		},
		"key by key": {
			text: "limits: {initial_sync: {requests: 9}}", workers: []string{"sync-1", "sync-2"},
			want: map[string]Limit{"initial_sync": {Requests: 9, Queue: 1000}},
		},
		"a default is for those that say nothing": {
			text: "limits: {default: {queue: 50, retries: 7}, sync: {queue: 60}}", workers: []string{"sync-1", "sync-2"},
			want: map[string]Limit{"sync": {Queue: 60, Retries: 7}, "initial_sync": {Requests: 2, Queue: 1000, Retries: 7}, "main": {Queue: 50, Retries: 7}},
		},
		"both clusters of a group have them": {
			text: "limits: {client_reader: {requests: 5}}", workers: []string{"reader-1", "reader-2"},
			want: map[string]Limit{"client_reader": {Requests: 5}, "client_reader_hashed": {Requests: 5}},
		},
		"a group that main serves gets a cluster for them": {
			text: "limits: {login: {requests: 5}}", want: map[string]Limit{"login": {Requests: 5}, "main": {}},
		},
		"main itself": {
			text: "limits: {main: {requests: 5}}", want: map[string]Limit{"main": {Requests: 5}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := configured(t, tt.text, tt.workers...)
			if err != nil {
				t.Fatal(err)
			}
			for cluster, want := range tt.want {
				if c, ok := p.Cluster(cluster); !ok || c.Limit != want {
					t.Errorf("%s: %t %+v, want %+v", cluster, ok, c.Limit, want)
				}
			}
		})
	}
}

func TestLoginsDoNotWaitBehindInitialSyncs(t *testing.T) {
	for name, workers := range map[string][]string{"main does all": nil, "one worker does": {"sync-1"}, "generic ones do": {"generic_worker1", "generic_worker2"}} {
		p := build(t, homeserver(workers...), nil)
		cluster := func(method, path string) string { return p.Match(Request{Method: method, Path: path}).Cluster }
		storm := cluster("GET", "/_matrix/client/v3/sync")
		for _, other := range []string{cluster("GET", "/_matrix/client/v3/sync?since=1"), cluster("POST", "/_matrix/client/v3/login"), cluster("POST", "/_matrix/client/v3/register")} {
			if other == storm {
				t.Errorf("%s: initial syncs share the cluster %q", name, storm)
			}
		}
	}
}

func TestHealthAndBoundedLoad(t *testing.T) {
	p, err := configured(t, "health: {interval: 500ms, timeout: 200ms}\nbounded_load: 150")
	if err != nil {
		t.Fatal(err)
	}
	if want := (Health{Interval: 500 * time.Millisecond, Timeout: 200 * time.Millisecond}); p.Health != want || p.BoundedLoad != 150 {
		t.Errorf("%+v and %d", p.Health, p.BoundedLoad)
	}
}

func TestFaultsInLimitsHaveAPlace(t *testing.T) {
	for text, want := range map[string]string{
		"limits: {synk: {requests: 1}}":                   `axon.yaml:2:10: limits: unknown group "synk"; there are default, sync,`,
		"limits: {sync: {requests: 0}}":                   `axon.yaml:2:17: limits.sync.requests: must be from 1 to 100000`,
		"limits: {sync: {queue: 100001}}":                 `axon.yaml:2:17: limits.sync.queue: must be from 1 to 100000`,
		"limits: {sync: {retries: -1}}":                   `axon.yaml:2:26: limits.sync.retries: want a whole number`,
		"limits: {sync: {per_worker: 1}}":                 `axon.yaml:2:17: limits.sync: unknown key "per_worker"`,
		"limits: {sync: 5}":                               `axon.yaml:2:16: limits.sync: want keys and values, not`,
		"health: {interval: 10ms}":                        `axon.yaml:2:10: health.interval: must be from 100ms to 5m0s`,
		"health: {timeout: 10m}":                          `axon.yaml:2:10: health.timeout: must be from 100ms to 5m0s`,
		"bounded_load: 99":                                `axon.yaml:2:1: bounded_load: must be from 100 to 1000 percent`,
		"bounded_load: 1001":                              `axon.yaml:2:1: bounded_load: must be from 100 to 1000 percent`,
		"limits: {sync: {requests: 0}}\nbounded_load: 99": `axon.yaml:3:1: bounded_load`,
	} {
		if _, err := configured(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
