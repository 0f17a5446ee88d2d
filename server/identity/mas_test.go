package identity

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhereTheAuthenticationServiceIsFound(t *testing.T) {
	tests := map[string]struct {
		config IntrospectionConfig
		files  map[string]string
		paths  []string
		want   mas
		fault  string
	}{
		"Synapse's file has the secret itself": {
			files: map[string]string{"hs.yaml": "matrix_authentication_service:\n  enabled: true\n  endpoint: http://mas:8080/\n  secret: abc\n"},
			paths: []string{"hs.yaml"},
			want:  mas{"http://mas:8080", "abc"},
		},
		"Synapse's file names a file beside it, and no endpoint": {
			files: map[string]string{"hs.yaml": "matrix_authentication_service: {enabled: yes, secret_path: mas.secret}", "mas.secret": "abc\n"},
			paths: []string{"hs.yaml"},
			want:  mas{"http://localhost:8080", "abc"},
		},
		"the last of Synapse's files counts, in folders by name": {
			files: map[string]string{
				"hs.yaml":      "matrix_authentication_service: {enabled: true, secret: first}",
				"conf/10.yaml": "matrix_authentication_service: {enabled: true, endpoint: https://mas.example/prefix/, secret: second}",
				"conf/20.yaml": "server_name: hs",
				"conf/.x.yaml": "matrix_authentication_service: {enabled: true, secret: hidden}",
				"conf/30.txt":  "no YAML: {",
			},
			paths: []string{"hs.yaml", "conf"},
			want:  mas{"https://mas.example/prefix", "second"},
		},
		"axon.yaml says all": {
			config: IntrospectionConfig{Endpoint: "http://mas", SecretPath: "s"},
			files:  map[string]string{"s": " abc "},
			want:   mas{"http://mas", "abc"},
		},
		"axon.yaml names another way to the service": {
			config: IntrospectionConfig{Endpoint: "http://mas"},
			files:  map[string]string{"hs.yaml": "matrix_authentication_service: {enabled: true, endpoint: 'http://elsewhere', secret: abc}"},
			paths:  []string{"hs.yaml"},
			want:   mas{"http://mas", "abc"},
		},
		"axon.yaml names the secret's file alone": {
			config: IntrospectionConfig{SecretPath: "s"},
			files:  map[string]string{"s": "abc", "hs.yaml": "matrix_authentication_service: {enabled: true, endpoint: 'http://mas', secret_path: /not/ours/to/read}"},
			paths:  []string{"hs.yaml"},
			want:   mas{"http://mas", "abc"},
		},
		"nothing says where": {fault: "identity.introspection: synapse's files enable no matrix_authentication_service: set endpoint and secret_path"},
		"Synapse does not use it": {
			files: map[string]string{"hs.yaml": "matrix_authentication_service: {enabled: false, secret: abc}"},
			paths: []string{"hs.yaml"},
			fault: "enable no matrix_authentication_service",
		},
		"Synapse's file has no secret": {
			files: map[string]string{"hs.yaml": "matrix_authentication_service: {enabled: true}"},
			paths: []string{"hs.yaml"},
			fault: "hs.yaml: matrix_authentication_service has no secret",
		},
		"the secret's file is not there": {config: IntrospectionConfig{Endpoint: "http://mas", SecretPath: "s"}, fault: "no such file"},
		"the secret's file is empty": {
			config: IntrospectionConfig{Endpoint: "http://mas", SecretPath: "s"},
			files:  map[string]string{"s": " \n"},
			fault:  "it is empty",
		},
		"the secret's file holds something else": {
			config: IntrospectionConfig{Endpoint: "http://mas", SecretPath: "s"},
			files:  map[string]string{"s": "secret: abc\nmore: def"},
			fault:  "one line of text is wanted",
		},
		"the endpoint is no URL": {
			files: map[string]string{"hs.yaml": "matrix_authentication_service: {enabled: true, endpoint: 'mas:8080', secret: abc}"},
			paths: []string{"hs.yaml"},
			fault: "is not a URL like",
		},
		"Synapse's file is no YAML": {
			files: map[string]string{"hs.yaml": "matrix_authentication_service: {secret: abc"},
			paths: []string{"hs.yaml"},
			fault: "not valid YAML",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for path, text := range test.files {
				path = filepath.Join(dir, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			source := masSource{config: test.config, dir: dir}
			for _, path := range test.paths {
				source.homeserverFiles = append(source.homeserverFiles, filepath.Join(dir, path))
			}
			got, err := source.read()
			switch {
			case test.fault == "" && err != nil:
				t.Fatal(err)
			case test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)):
				t.Fatalf("error %v, want %q", err, test.fault)
			case test.fault != "" && strings.Contains(err.Error(), "abc"):
				t.Fatalf("the secret is in the error: %v", err)
			case test.fault == "":
				if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(mas{})); diff != "" {
					t.Errorf("service (-want +got):\n%s", diff)
				}
			}
		})
	}
}
