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
