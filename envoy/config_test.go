package envoy

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

func TestConfigFromYAML(t *testing.T) {
	got := DefaultConfig()
	in := "run: true\npath: /usr/bin/envoy\nadmin: unix:/run/axon/admin.sock\nconcurrency: 2\ndir: /var/lib/axon\ndrain: 1m30s\nlog_level: warning\n"
	if err := yaml.UnmarshalWithOptions([]byte(in), &got, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	want := Config{
		Run: true, Path: "/usr/bin/envoy", Admin: "unix:/run/axon/admin.sock", Concurrency: 2,
		Dir: "/var/lib/axon", Drain: 90 * time.Second, LogLevel: "warning",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestConfigValidate(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   []string // nothing: valid
	}{
		"the defaults are valid":              {change: func(*Config) {}},
		"IPv6 loopback is a loopback":         {change: func(c *Config) { c.Admin = "[::1]:9901" }},
		"a unix socket serves as admin":       {change: func(c *Config) { c.Admin = "unix:/run/axon/admin.sock" }},
		"the world may not reach admin":       {change: func(c *Config) { c.Admin = "0.0.0.0:9901" }, want: []string{"envoy.admin: ", "loopback"}},
		"a name may be anywhere":              {change: func(c *Config) { c.Admin = "localhost:9901" }, want: []string{"envoy.admin: ", "loopback"}},
		"admin needs a port":                  {change: func(c *Config) { c.Admin = "127.0.0.1" }, want: []string{"envoy.admin: ", "host:port"}},
		"admin needs a port above 0":          {change: func(c *Config) { c.Admin = "127.0.0.1:0" }, want: []string{"envoy.admin: ", `port "0"`}},
		"admin needs an absolute socket path": {change: func(c *Config) { c.Admin = "unix:admin.sock" }, want: []string{"envoy.admin: ", "absolute"}},
		"debug would print tokens":            {change: func(c *Config) { c.LogLevel = "debug" }, want: []string{"envoy.log_level: ", "access tokens"}},
		"the sockets of a hot restart need room": {
			change: func(c *Config) { c.Dir, c.HotRestart = "/"+strings.Repeat("x", longestHotDir), true }, want: []string{"envoy.dir: ", "71 bytes"},
		},
		"every fault is told": {
			change: func(c *Config) { *c = Config{Concurrency: -1, Drain: -time.Second, Dir: "run"} },
			want:   []string{"envoy.admin: ", "envoy.concurrency: ", "envoy.drain: ", "envoy.dir: ", "envoy.log_level: "},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := DefaultConfig()
			tt.change(&c)
			err := c.Validate()
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("Validate: %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}
