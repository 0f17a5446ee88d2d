package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"axon/xds"
	"axon/xds/plan"
	"axon/xds/topology"
	"axon/xds/translate"
	"axon/yamlfile"
)

const (
	// snapshotFile is the name of the file in state.dir.
	snapshotFile = "snapshot.json"
	// snapshotFormat changes when an older Axon could misread the file.
	snapshotFormat = 1
)

// storedSnapshot is the file: the last snapshot that Envoys accepted, and what identity needs to know of the homeserver. It has
// no secrets.
type storedSnapshot struct {
	Format     int                `json:"format"`
	Axon       string             `json:"axon"` // the version of the program
	Saved      time.Time          `json:"saved"`
	Version    string             `json:"version"`
	Listeners  string             `json:"listeners"` // digests of what axon.yaml says of them
	Identity   string             `json:"identity"`
	ServerName string             `json:"server_name"`
	Main       *topology.Worker   `json:"main"`
	Workers    []*topology.Worker `json:"workers"`
	Record     xds.Record         `json:"resources"`
}

// stored is a deployment's snapshot that comes from the disk.
type stored struct {
	at        time.Time
	axon      string
	resources translate.Resources
	listeners bool  // whether they are those of axon.yaml
	fault     error // why it is served
}

// errDoesNotFit is why a stored snapshot is not served though it is whole.
var errDoesNotFit = errors.New("axon.yaml has changed since it was stored")

// newStoredSnapshot gives an error for what has secrets in it.
func newStoredSnapshot(d deployment) (storedSnapshot, error) {
	resources := d.resources()
	of, err := xds.VersionOf(resources)
	if err != nil {
		return storedSnapshot{}, err
	}
	listeners, identity, err := d.settings()
	if err != nil {
		return storedSnapshot{}, err
	}
	record, err := xds.NewRecord(resources)
	return storedSnapshot{
		Format: snapshotFormat, Axon: version, Version: of, Listeners: listeners, Identity: identity,
		ServerName: d.topology.ServerName, Main: d.topology.Main, Workers: d.topology.Workers, Record: record,
	}, err
}

// settings are digests of what a listener is made of, who may reach Synapse's administrator's interface included, and of how
// Envoy finds us and what it does with the answer.
func (d deployment) settings() (listeners, identity string, err error) {
	id, err := d.config.identity(&topology.Topology{})
	if err != nil {
		return "", "", err
	}
	return digestOf(d.config.Plan.Listeners), digestOf(id), nil
}

func digestOf(settings any) string {
	content, err := json.Marshal(settings)
	if err != nil { // it is plain data
		panic(err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8])
}

// readStored reads the file for the axon.yaml that d was read from, and gives the deployment that was accepted then. The error
// is fs.ErrNotExist where there is no file.
func readStored(d deployment) (deployment, error) {
	content, err := d.config.State.Read(snapshotFile)
	if err != nil {
		return d, err
	}
	var s storedSnapshot
	if err := json.Unmarshal(content, &s); err != nil {
		return d, fmt.Errorf("state: %s: %w", snapshotFile, err)
	}
	if s.Format != snapshotFormat {
		return d, fmt.Errorf("state: %s: format %d, want %d: another Axon (%s) wrote it", snapshotFile, s.Format, snapshotFormat, s.Axon)
	}
	d, err = s.deployment(d)
	if err != nil {
		return d, fmt.Errorf("state: %s: %w", snapshotFile, err)
	}
	return d, nil
}

// deployment puts what is stored in the place of what Synapse's files say.
func (s storedSnapshot) deployment(d deployment) (deployment, error) {
	listeners, identity, err := d.settings()
	switch {
	case err != nil:
		return d, err
	case identity != s.Identity:
		return d, fmt.Errorf("identity or authz: %w", errDoesNotFit)
	case s.Main == nil:
		return d, errors.New("no main process")
	}
	resources, err := s.Record.Resources()
	if err != nil {
		return d, err
	}
	snapshot, err := xds.NewSnapshot(resources)
	if err != nil {
		return d, err
	}
	if got := xds.Version(snapshot); got != s.Version {
		return d, fmt.Errorf("version %s, want %s", got, s.Version)
	}
	d.stored = &stored{at: s.Saved, axon: s.Axon, resources: resources, listeners: listeners == s.Listeners}
	d.topology = &topology.Topology{ServerName: s.ServerName, Main: s.Main, Workers: s.Workers, Warnings: []topology.Warning{{
		Source: yamlfile.Position{File: filepath.Join(d.config.State.Dir, snapshotFile)},
		Text:   "what is served is the snapshot from the disk, of " + s.Saved.Local().Format(time.RFC1123) + ": what the files say can't be used",
	}}}
	d.plan = &plan.Plan{ServerName: s.ServerName}
	for _, l := range resources.Listeners {
		at := l.GetAddress().GetSocketAddress()
		address := topology.Address{Host: at.GetAddress(), Port: uint16(at.GetPortValue())}
		d.plan.Listeners = append(d.plan.Listeners, plan.Listener{Name: l.GetName(), Address: address})
	}
	return d, nil
}

// fromDisk is for a start at which everything but axon.yaml itself may be at fault. It gives the stored deployment, and who
// validated it, or else the fault. A snapshot was good when it was stored, but the Axon or the Envoy may be another now.
func fromDisk(ctx context.Context, d deployment, fault error, log *slog.Logger) (_ deployment, by string, err error) {
	if !d.sound || !d.config.State.Kept() || d.config.identityAlone() {
		return d, "", fault
	}
	found, err := readStored(d)
	if err == nil && !found.stored.listeners {
		err = fmt.Errorf("listeners: %w", errDoesNotFit)
	}
	if err == nil {
		by, err = found.validate(ctx)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return d, "", fault
	case err != nil:
		log.Warn("the stored snapshot can't be served", "error", err)
		return d, "", fault
	}
	found.stored.fault = fault
	log.Error("the configuration has faults: the snapshot from the disk is served until they are mended", "of", found.stored.at,
		"by", found.stored.axon, "error", fault)
	return found, by, nil
}

// trust has a first refusal go back to what Envoys accepted last, of an earlier Axon of this version.
func (f *frontDoor) trust(d deployment) {
	if d.stored != nil || !d.config.State.Kept() || d.config.identityAlone() {
		return
	}
	found, err := readStored(d)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errDoesNotFit), err == nil && found.stored.axon != version:
		return
	case err == nil:
		err = f.xds.Trust(found.stored.resources)
	}
	if err != nil {
		f.log.Warn("the stored snapshot can't be used", "error", err)
		return
	}
	f.offers[f.xds.State().Accepted] = found
}

func (f *frontDoor) servesStored() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "axon_config_stored", Help: "1 while the snapshot from the disk is served, because the files can't be used.",
	}, func() float64 {
		if d := f.serving.Load(); d != nil && d.stored != nil {
			return 1
		}
		return 0
	})
}
