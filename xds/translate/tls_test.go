package translate

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"axon/envoy"
	"axon/xds/plan"
)

func TestCertificateNamesCanBeTakenApart(t *testing.T) {
	for name, files := range map[string][2]string{
		"plain paths":                        {"/etc/tls/fullchain.pem", "/etc/tls/privkey.pem"},
		"colons, percent signs and what not": {"/a:b/100%/%3A.pem", "/c d/ü:.key"},
	} {
		t.Run(name, func(t *testing.T) {
			certificate, key, ok := CertificateFiles(CertificateName(files[0], files[1]))
			if !ok || certificate != files[0] || key != files[1] {
				t.Errorf("%q, %q, %v", certificate, key, ok)
			}
		})
	}
	for _, bad := range []string{"", ":", "/a", "/a:", ":/b", "/a%zz:/b", "/a:/b%"} {
		if _, _, ok := CertificateFiles(bad); ok {
			t.Errorf("%q is taken for a certificate", bad)
		}
	}
}

func TestCertificatesAreAskedForAndStandInStaticListeners(t *testing.T) {
	l := listener(plan.Listener{Name: "front", TLS: &plan.TLS{Certificate: "/tls/crt.pem", Key: "/tls/key.pem"}}, nil)
	text := func() string { return strings.ReplaceAll(protojson.Format(l), " ", "") }
	if got := text(); !strings.Contains(got, `"/tls/crt.pem:/tls/key.pem"`) || strings.Contains(got, "filename") {
		t.Error(got)
	}
	if err := inlineCertificates(l); err != nil {
		t.Fatal(err)
	}
	if got := text(); !strings.Contains(got, `"filename":"/tls/key.pem"`) || !strings.Contains(got, `"alpnProtocols"`) || strings.Contains(got, "sdsConfig") {
		t.Error(got)
	}
}

func TestTheControlPlaneIsThatOfTheBootstrap(t *testing.T) {
	if ControlPlane != envoy.XDSCluster {
		t.Errorf("%q, and in the bootstrap %q", ControlPlane, envoy.XDSCluster)
	}
}
