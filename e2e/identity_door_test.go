package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"axon/e2e/process"
	"axon/e2e/synapse"
	"axon/envoy/envoytest"
)

// talkative is an axon that says all that it can, and whose numbers are read.
type talkative struct {
	*axon
	t       *testing.T
	program string
	config  string
}

// startTalkative runs the front door of hs at the debug level; Envoy's is info, since Axon lets it have no lower one. more
// are further lines of axon.yaml.
func startTalkative(t *testing.T, hs *synapse.Homeserver, more ...string) talkative {
	t.Helper()
	root := synapse.Root(t)
	d := talkative{
		axon:    &axon{Dir: envoytest.ShortDir(t), URL: freeURL(t), Admin: freeURL(t), Envoy: freeURL(t)},
		t:       t,
		program: cmp.Or(os.Getenv("AXON"), filepath.Join(root, "bin", "axon")),
	}
	d.config = d.configure(t, hs)
	d.inOwnFolder(more)
	cmd := exec.Command(d.program, "run", "-c", d.config, "--log-level", "debug")
	cmd.Dir = d.Dir
	cmd.Env = append(os.Environ(), "ENVOY="+cmp.Or(os.Getenv("ENVOY"), filepath.Join(root, "bin", "envoy")))
	p, err := process.Start(cmd, d.log(), syscall.SIGTERM)
	if err != nil {
		t.Fatalf("%v; run `make build`, or name Axon in $AXON", err)
	}
	d.process = p
	t.Cleanup(func() {
		if err := p.Stop(syscall.SIGTERM, 30*time.Second); err != nil {
			t.Errorf("stop Axon: %v", err)
		}
	})
	d.await(t, d.Admin+"/readyz")
	d.await(t, d.URL+"/_matrix/client/versions")
	return d
}

// in is the front door for a part of the test.
func (d talkative) in(t *testing.T) talkative {
	d.t = t
	return d
}

// inOwnFolder has Envoy's files beside the others, where they are looked through.
func (d talkative) inOwnFolder(more []string) {
	d.t.Helper()
	text, err := os.ReadFile(d.config)
	if err != nil {
		d.t.Fatal(err)
	}
	changed := strings.Replace(string(text), "envoy: {", "envoy: {dir: "+d.Dir+", ", 1) + strings.Join(more, "\n")
	if err := os.WriteFile(d.config, []byte(changed), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// number adds up Axon's metric of a name over the series that have the label, all of them where it is empty.
func (d talkative) number(name, label string) float64 {
	d.t.Helper()
	sum := 0.0
	lines := bufio.NewScanner(strings.NewReader(d.page(d.Admin + "/metrics")))
	for lines.Scan() {
		series, value, _ := strings.Cut(lines.Text(), " ")
		if base, labels, _ := strings.Cut(series, "{"); base != name || !strings.Contains(labels, label) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			d.t.Fatalf("metric %s: %v", name, err)
		}
		sum += n
	}
	return sum
}

// lookups are the calls of whoami so far.
func (d talkative) lookups() float64 {
	d.t.Helper()
	return d.number("axon_whoami_requests_total", "")
}

// revoked are the ended tokens and users that Axon heard of.
func (d talkative) revoked() float64 {
	d.t.Helper()
	return d.number("axon_revocation_events_total", `kind="token"`) + d.number("axon_revocation_events_total", `kind="user"`)
}

func (d talkative) page(url string) string {
	d.t.Helper()
	response, err := http.Get(url)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		d.t.Fatalf("%s: %d %v", url, response.StatusCode, err)
	}
	return string(text)
}

// run is another command of Axon, with all that it prints.
func (d talkative) run(args ...string) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, d.program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		d.t.Errorf("axon %v: %v\n%s", args, err, out.String())
	}
	return out.String()
}

// traces are all that Axon and its Envoy show to anybody, by where.
func (d talkative) traces() map[string]string {
	d.t.Helper()
	all := map[string]string{
		"axon status --json":   d.run("status", "--admin", hostPort(d.Admin), "--json"),
		"axon status":          d.run("status", "--admin", hostPort(d.Admin)),
		"axon topology --json": d.run("topology", "-c", d.config, "--json"),
		"axon render":          d.run("render", "-c", d.config),
	}
	for _, page := range []string{d.Admin + "/metrics", d.Envoy + "/stats", d.Envoy + "/stats/prometheus", d.Envoy + "/config_dump", d.Envoy + "/clusters"} {
		all[page] = d.page(page)
	}
	err := filepath.WalkDir(d.Dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	})
	if err != nil {
		d.t.Fatal(fmt.Errorf("look through Axon's folder: %w", err))
	}
	return all
}
