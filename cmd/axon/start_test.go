package main

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
)

func TestRunRefusesToStart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		// taken is the address that another process listens on.
		taken func(s *site) string
		want  string
	}{
		"where admin.address is in use":     {func(s *site) string { return s.admin }, "ADMIN: another process is listening there"},
		"where xds.address is in use":       {func(s *site) string { return "unix:" + s.path("xds.sock") }, "unix:DIR/xds.sock: another process is listening there"},
		"where authz.address is in use":     {func(s *site) string { return "unix:" + s.path("authz.sock") }, "unix:DIR/authz.sock: another process is listening there"},
		"where a listener's port is in use": {func(s *site) string { return s.front }, `listener "FRONT": listen tcp FRONT: bind: address already in use`},
		"where envoy.admin is in use":       {func(s *site) string { return "unix:" + s.path("envoy.sock") }, "envoy.admin: unix:DIR/envoy.sock is in use by another process"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			listen(t, test.taken(s))
			s.refuses(t, s.launch(t, "axon", "run", "-c", s.path("axon.yaml")), test.want)
		})
	}
}

func TestWithoutAnEnvoyAxonSaysHowToGetOne(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, args := range map[string][]string{
		"axon run":   {"run", "-c", s.path("axon.yaml")},
		"axon check": {"check", "-c", s.path("axon.yaml")},
		"axon demo":  {"demo"},
	} {
		t.Run(name, func(t *testing.T) {
			bare := s.command(t, "axon", args...)
			bare.Env = []string{"PATH=", "TMPDIR=" + s.dir}
			output, err := bare.CombinedOutput()
			if code := bare.ProcessState.ExitCode(); code != 1 {
				t.Errorf("exit code %d (%v)", code, err)
			}
			if got := string(output); !strings.Contains(got, "axon: no Envoy found") || !strings.Contains(got, `run "make envoy"`) {
				t.Errorf("it says %s", got)
			}
		})
	}
}

func TestRunThatIsToldToEndBeforeItBeganEndsWell(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx, end := context.WithCancel(t.Context())
	end()
	var stderr strings.Builder
	if code := run(ctx, []string{"run", "-c", s.path("axon.yaml")}, io.Discard, &stderr); code != 0 {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
}

// refuses sees a process end with 1 and a text, and leave nothing behind.
func (s *site) refuses(t *testing.T, p *process, want string) {
	t.Helper()
	if code := p.exit(t); code != 1 {
		t.Errorf("exit code %d", code)
	}
	want = strings.NewReplacer("DIR", s.dir, "ADMIN", s.admin, "FRONT", s.front).Replace(want)
	if log := p.log(); !strings.Contains(log, want) {
		t.Errorf("it does not say %q:\n%s", want, log)
	}
	if pid, err := s.envoyPID(); err == nil && alive(pid) {
		t.Error("an envoy was left")
	}
}

// listen takes an address, host:port or unix:/path, until the test ends.
func listen(t *testing.T, address string) {
	t.Helper()
	network, rest := "tcp", address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, rest = "unix", path
	}
	l, err := net.Listen(network, rest)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}
