// Package demo is the demonstration: a homeserver of stand-in workers, described in Synapse's own files as an
// administrator would have them, an axon.yaml that points at those files, a little traffic, and a live table of who
// landed where. It does not start Axon: whoever calls it does, with the axon.yaml of the Deployment.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"axon/demo/standin"
)

const axonYAML = "axon.yaml"

// Deployment is a running homeserver of stand-ins, and the files that describe it.
type Deployment struct {
	dir     string
	ports   ports
	workers []*standin.Worker // as in roster
	devices []device
}

// New starts the stand-ins on free ports and writes the files into a private temporary folder. The stand-ins end with
// ctx; the folder goes with Close.
func New(ctx context.Context) (*Deployment, error) {
	dir, err := os.MkdirTemp("", "axon-demo-")
	if err != nil {
		return nil, err
	}
	d := &Deployment{dir: dir, devices: cast()}
	if err := d.start(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Deployment) start(ctx context.Context) error {
	tokens := map[string]string{}
	for _, device := range d.devices {
		tokens[device.token] = device.user
	}
	for _, m := range roster {
		c := standin.Config{
			Name: m.name, Resources: m.resources, MediaRepo: m.mediaRepo, Writers: writers(), Tokens: tokens,
		}
		if m.unix {
			c.Network, c.Address = "unix", filepath.Join(d.dir, m.name+".sock")
		}
		w, err := standin.Start(ctx, c)
		if err != nil {
			return err
		}
		d.workers = append(d.workers, w)
	}
	var err error
	if d.ports, err = freePorts(ctx); err != nil {
		return err
	}
	return d.writeFiles()
}

// Dir is the private folder; what is put there goes with Close.
func (d *Deployment) Dir() string { return d.dir }

// ConfigPath is the axon.yaml for Axon to run with.
func (d *Deployment) ConfigPath() string { return filepath.Join(d.dir, axonYAML) }

// URL is where the front door will listen, without a slash at the end.
func (d *Deployment) URL() string { return "http://" + loopback(d.ports.front) }

// AdminURL is where Axon's admin listener will be, without a slash at the end.
func (d *Deployment) AdminURL() string { return "http://" + loopback(d.ports.axonAdmin) }

// Worker finds a stand-in by name; nil where there is none.
func (d *Deployment) Worker(name string) *standin.Worker {
	for _, w := range d.workers {
		if w.Name() == name {
			return w
		}
	}
	return nil
}

// Close ends the stand-ins and removes the folder. End Axon and Envoy first: both have files there.
func (d *Deployment) Close() error {
	var errs []error
	for _, w := range d.workers {
		errs = append(errs, w.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(d.dir))...)
}

// Traffic is the users' traffic to the front door. It has yet to be run.
func (d *Deployment) Traffic() *Traffic { return newTraffic(d.URL(), d.devices) }

// Play waits until the front door answers, sends traffic and shows the table on out until ctx ends, which is no error.
// Where out is a terminal, nothing else should be written to it meanwhile.
func (d *Deployment) Play(ctx context.Context, out io.Writer) error {
	if err := d.Ready(ctx); err != nil {
		return err
	}
	t := d.Traffic()
	done := make(chan struct{})
	go func() { defer close(done); t.Run(ctx) }()
	err := Show(ctx, out, func() Stats {
		s := t.Stats()
		s.AdminURL, s.Dir = d.AdminURL(), d.dir
		for _, w := range d.workers {
			s.Whoami += w.Served(standin.Whoami)
		}
		return s
	})
	<-done
	return err
}

// Ready waits until a stand-in answers a plain request and a sync through the front door; ctx bounds the wait.
func (d *Deployment) Ready(ctx context.Context) error {
	t := d.Traffic()
	var last error
	for {
		if last = t.probe(ctx); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("front door %s: %w: %w", d.URL(), context.Cause(ctx), last)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// probe asks for what needs no identity and for what does.
func (t *Traffic) probe(ctx context.Context) error {
	poll := incrementalSync(t.devices[0], "s0", 0)
	for _, r := range []request{{what: "versions", method: http.MethodGet, target: "/_matrix/client/versions"}, poll} {
		if a := t.do(ctx, r); a.fault != "" {
			return errors.New(r.what + ": " + a.fault)
		}
	}
	return nil
}
