package topology_test

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"axon/xds/topology"
)

func TestRedisCredentials(t *testing.T) {
	tests := map[string]struct {
		section        string
		file           string // secret.txt beside it
		user, password string
		err            string
	}{
		"none": {section: "{enabled: true}"},
		"a password": {
			section: "{enabled: true, password: hunter2}", password: "hunter2",
		},
		"a user and a password of digits": {
			section: "{enabled: true, username: axon, password: 1234}", user: "axon", password: "1234",
		},
		"a file, with white space around the password": {
			section: "{enabled: true, username: axon, password_path: secret.txt}", file: " hunter2\n", user: "axon", password: "hunter2",
		},
		"a file that is not there": {
			section: "{enabled: true, password_path: secret.txt}", err: "password_path",
		},
		"both": {
			section: "{enabled: true, password: hunter2, password_path: secret.txt}", file: "hunter2", err: "exclude each other",
		},
		"a password that is no text": {
			section: "{enabled: true, password: {hunter2: hunter2}}", err: "password",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := redisOf(t, test.section, map[string]string{"secret.txt": test.file})
			user, password, err := r.Credentials()
			if user != test.user || password != test.password || (err != nil) != (test.err != "") {
				t.Errorf("%q %q %v", user, password, err)
			}
			if err != nil && (!strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("error %q, want one about %q and without the password", err, test.err)
			}
		})
	}
}

func TestRedisCredentialsAreReadAnew(t *testing.T) {
	r := redisOf(t, "{enabled: true, password_path: secret.txt}", map[string]string{"secret.txt": "first"})
	write(t, filepath.Join(filepath.Dir(r.Source.File), "secret.txt"), "second")
	if _, password, err := r.Credentials(); err != nil || password != "second" {
		t.Errorf("%q %v", password, err)
	}
}

func TestRedisTLS(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	tests := map[string]struct {
		section string
		files   map[string]string
		tls     bool
		system  bool // the system's authorities
		client  bool // a certificate of the client
		err     string
	}{
		"plain":                       {section: "{enabled: true, ca_file: none.pem}"},
		"the system's authorities":    {section: "{enabled: true, use_tls: true}", tls: true, system: true},
		"an authority of one's own":   {section: "{enabled: true, use_tls: true, ca_file: ca.pem}", files: map[string]string{"ca.pem": certificate}, tls: true},
		"a folder of authorities":     {section: "{enabled: true, use_tls: true, ca_path: .}", files: map[string]string{"ca.pem": certificate}, tls: true},
		"a certificate of the client": {section: "{enabled: true, use_tls: true, certificate_file: c.pem, private_key_file: k.pem}", tls: true, system: true, client: true},
		"no such file":                {section: "{enabled: true, use_tls: true, ca_file: ca.pem}", err: "ca.pem"},
		"a file of something else":    {section: "{enabled: true, use_tls: true, ca_file: ca.pem}", files: map[string]string{"ca.pem": "text"}, err: "no certificate"},
		"an empty folder":             {section: "{enabled: true, use_tls: true, ca_path: none}", err: "no certificate"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := redisOf(t, test.section, test.files).TLSConfig()
			if err != nil || test.err != "" {
				if err == nil || test.err == "" || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want one about %q", err, test.err)
				}
				return
			}
			if (c != nil) != test.tls {
				t.Fatalf("TLS: %t", c != nil)
			}
			if c != nil && ((c.RootCAs == nil) != test.system || (c.GetClientCertificate != nil) != test.client) {
				t.Errorf("the system's authorities: %t, a certificate: %t", c.RootCAs == nil, c.GetClientCertificate != nil)
			}
		})
	}
}

// redisOf reads a homeserver.yaml with a section redis, beside other files; empty ones are left out.
func redisOf(t *testing.T, section string, files map[string]string) *topology.Redis {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if text != "" {
			write(t, filepath.Join(dir, name), text)
		}
	}
	path := filepath.Join(dir, "homeserver.yaml")
	write(t, path, "server_name: axon.test\nlisteners: [{type: http, port: 8008, resources: [{names: [client]}]}]\nredis: "+section+"\n")
	top, err := topology.Load(topology.Config{Synapse: topology.SynapseConfig{Config: []string{path}}}, nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	return top.Redis
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
