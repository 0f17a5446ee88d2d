package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"axon/server"
	"axon/xds/plan"
	"axon/xds/topology"
)

func TestEnvoyAndAxonAgreeOnIdentity(t *testing.T) {
	socket := topology.Address{Path: "/run/axon/authz.sock"}
	usual := plan.Identity{Address: socket, Timeout: 600 * time.Millisecond, Learn: true, Headers: []string{"x-user-identifier"}}
	with := func(change func(*plan.Identity)) plan.Identity {
		id := usual
		change(&id)
		return id
	}
	tcp := topology.Address{Host: "axon.example.org", Port: 9191}
	tests := map[string]struct {
		change func(*Config)
		want   plan.Identity
	}{
		"by default it is a hint": {func(*Config) {}, usual},
		"enforced, what can't be asked is refused": {
			func(c *Config) { c.Identity.Enforce = true },
			with(func(id *plan.Identity) { id.Enforce, id.FailClosed = true, true }),
		},
		"failing open, it goes on": {
			func(c *Config) { c.Identity.Enforce, c.Identity.FailOpen = true, true },
			with(func(id *plan.Identity) { id.Enforce = true }),
		},
		"every header that is named is Axon's": {
			func(c *Config) { c.Identity.Headers.User, c.Identity.Headers.Device = "x-user", "x-device" },
			with(func(id *plan.Identity) { id.Headers = []string{"x-user", "x-device"} }),
		},
		"whoever reaches a port may tell a hint": {
			func(c *Config) { c.Authz.Address = "axon.example.org:9191" },
			with(func(id *plan.Identity) { id.Address = tcp }),
		},
		"but not who may pass": {
			func(c *Config) { c.Authz.Address, c.Identity.Enforce = "axon.example.org:9191", true },
			with(func(id *plan.Identity) { id.Address, id.Enforce, id.FailClosed, id.Learn = tcp, true, true, false }),
		},
		"unless they show a certificate": {
			func(c *Config) {
				c.Authz.Address, c.Identity.Enforce = "axon.example.org:9191", true
				c.Authz.TLS = server.TLSConfig{Certificate: "crt", Key: "key", ClientCA: "ca", Envoy: server.EnvoyTLS{Key: "/envoy/key"}}
			},
			with(func(id *plan.Identity) {
				id.Address, id.Enforce, id.FailClosed = tcp, true, true
				id.TLS = &plan.IdentityTLS{Certificate: "crt", Key: "/envoy/key", CA: "ca", ServerName: "axon.example.org"}
			}),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			config := defaultConfig()
			tt.change(&config)
			got, err := config.identity(&topology.Topology{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
