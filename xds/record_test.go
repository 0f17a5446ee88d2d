package xds

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"axon/xds/plan"
	"axon/xds/topology"
	"axon/xds/translate"
)

// What is kept gives the same versions again, so that it wakes no Envoy, and it holds no secret.
func TestARecordGivesTheSameVersions(t *testing.T) {
	for _, dir := range deployments(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			p := planned(t, dir)
			p.Identity = &plan.Identity{
				Address: topology.Address{Path: "/run/axon/authz.sock"}, Timeout: time.Second,
				TLS: &plan.IdentityTLS{Certificate: "/tls.crt", Key: "/tls.key", CA: "/ca.crt"},
			}
			before := translate.Translate(p)
			record, err := NewRecord(before)
			if err != nil {
				t.Fatal(err)
			}
			kept, err := json.Marshal(record)
			if err != nil {
				t.Fatal(err)
			}
			var read Record
			if err := json.Unmarshal(kept, &read); err != nil {
				t.Fatal(err)
			}
			after, err := read.Resources()
			if err != nil {
				t.Fatal(err)
			}
			if a, b := versionOf(t, before), versionOf(t, after); a != b {
				t.Errorf("versions %s and %s", a, b)
			}
		})
	}
}

func TestResourcesWithASecretAreNotKept(t *testing.T) {
	for name, test := range map[string]struct {
		key    *corev3.DataSource
		secret bool
	}{
		"the key is in a file":              {&corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: "/tls.key"}}, false},
		"the key is in the environment":     {&corev3.DataSource{Specifier: &corev3.DataSource_EnvironmentVariable{EnvironmentVariable: "KEY"}}, false},
		"the key is in the resource":        {&corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: "hush"}}, true},
		"the key is in the resource, bytes": {&corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: []byte("hush")}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			r, secure := front(t), edsCluster("main")
			secure.TransportSocket = &corev3.TransportSocket{Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{
				TypedConfig: anyOf(t, &tlsv3.UpstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
					TlsCertificates: []*tlsv3.TlsCertificate{{PrivateKey: test.key}},
				}}),
			}}
			r.Clusters = []*clusterv3.Cluster{secure}
			record, err := NewRecord(r)
			if errors.Is(err, ErrSecret) != test.secret || (record == nil) != test.secret {
				t.Errorf("record %v, error %v", record, err)
			}
			if test.secret && (!strings.Contains(err.Error(), `cluster "main"`) || strings.Contains(err.Error(), "hush")) {
				t.Errorf("it says %v", err)
			}
		})
	}
}
