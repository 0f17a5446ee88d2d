package identity

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"axon/yamlfile"
)

func TestConfig(t *testing.T) {
	tests := map[string]struct {
		yaml   string
		faults []string
	}{
		"nothing said": {"identity: {}", nil},
		"one key said": {"identity: {cache: {ttl: 5m}}", nil},
		"faults are together": {"identity:\n  timeout: 0s\n  max_in_flight: 0\n  cache: {size_mib: -1, ttl: 1ms, negative_ttl: 1h}\n", []string{
			"axon.yaml:2:3: identity.timeout: 0s: has to be from 1ms to 10s",
			"axon.yaml:3:3: identity.max_in_flight: 0: has to be from 1 to 100000",
			"axon.yaml:4:11: identity.cache.size_mib: -1: has to be from 1 to 65536",
			"axon.yaml:4:25: identity.cache.ttl: 1ms: has to be from 1s to 720h0m0s",
			"axon.yaml:4:35: identity.cache.negative_ttl: 1h0m0s: has to be from 100ms to 10m0s",
		}},
		"everything said": {"identity:\n  resolvers: [native, introspection, whoami]\n  introspection: {endpoint: 'https://mas.example/', secret_path: mas.secret}\n" +
			"  native: {verify: never}\n" +
			"  redis: {address: 'redis:6379', secret_path: s, username: axon, password_path: p, database: 1, tls: true, ca_path: ca.pem, timeout: 50ms}\n", nil},
		"an empty section is its defaults": {"identity: {resolvers: [native, introspection], native: {}, introspection: {}}", nil},
		"nobody to ask": {"identity: {resolvers: []}", []string{
			"axon.yaml:1:12: identity.resolvers: names nobody to ask: whoami, introspection, native",
		}},
		"resolvers that are none": {"identity:\n  resolvers: [whoami, jwt, whoami]\n", []string{
			`axon.yaml:2:23: identity.resolvers[1]: "jwt": there are whoami, introspection, native`,
			`axon.yaml:2:28: identity.resolvers[2]: "whoami" is named twice`,
		}},
		"sections without their resolvers": {"identity:\n  introspection: {endpoint: 'mas:8080'}\n  native: {verify: later}\n", []string{
			"axon.yaml:2:3: identity.introspection: has no effect: identity.resolvers does not name it",
			"axon.yaml:3:3: identity.native: has no effect: identity.resolvers does not name it",
			`axon.yaml:2:19: identity.introspection.endpoint: "mas:8080": is not a URL like http://host:port/`,
			`axon.yaml:3:12: identity.native.verify: "later": has to be background or never`,
		}},
		"native where users are enforced": {"identity: {resolvers: [native, whoami], enforce: true}", []string{
			"axon.yaml:1:24: identity.resolvers[0]: native does not go with identity.enforce: anybody can make up such a token",
		}},
		"a Redis that cannot be": {"identity:\n  redis: {address: 0.0.0.0:1, username: axon, database: -1, ca_path: ca.pem, timeout: 1m}\n", []string{
			`axon.yaml:2:11: identity.redis.address: "0.0.0.0:1" is an address to listen on; name one to connect to`,
			"axon.yaml:2:3: identity.redis.secret_path: names no file; the Axons that share a Redis need the same secret of at least 16 bytes",
			"axon.yaml:2:31: identity.redis.username: is nothing without password_path",
			"axon.yaml:2:61: identity.redis.ca_path: is nothing without tls",
			"axon.yaml:2:47: identity.redis.database: -1: has to be from 0 to 65536",
			"axon.yaml:2:78: identity.redis.timeout: 1m0s: has to be from 1ms to 1s",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			file, err := yamlfile.Parse("axon.yaml", []byte(test.yaml))
			if err != nil {
				t.Fatal(err)
			}
			all := struct {
				Identity Config `yaml:"identity"`
			}{DefaultConfig()}
			if err := file.DecodeStrict(&all); err != nil {
				t.Fatal(err)
			}
			var faults []string
			if err := all.Identity.Validate(file); err != nil {
				faults = strings.Split(err.Error(), "\n")
			}
			if diff := cmp.Diff(test.faults, faults); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}
