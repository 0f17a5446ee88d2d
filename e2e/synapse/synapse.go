// Package synapse runs a real Synapse for a test: its own PostgreSQL cluster, its own Redis, a main process and workers,
// configured by the very files that an administrator writes, in a folder of its own.
//
//	hs := synapse.Start(t, synapse.Options{Workers: synapse.Full()})
//	// point something at hs.ConfigPath and hs.WorkersDir, send requests, then ask who served them
//	for _, request := range hs.Requests() { … }
//
// It needs Linux (/proc, signals at the parent's death), what `make e2e` installs, and as root a user that
// PostgreSQL can run as. A missing piece fails the test. Everything ends with the test, on failure too.
package synapse

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"axon/e2e/process"
)

// Options says which homeserver to start; the zero value is main alone.
type Options struct {
	// Workers run beside main, see Full and Small.
	Workers []Worker
	// ServerName defaults to axon.test, which exists nowhere: nothing federates.
	ServerName string
	// Config is YAML that ends homeserver.yaml; its keys must not repeat those in templates/homeserver.yaml.
	Config string
}

// Homeserver is a running Synapse.
type Homeserver struct {
	Dir                string // all its files; short enough for unix sockets in it
	ConfigPath         string // homeserver.yaml
	WorkersDir         string // one YAML file per worker
	ServerName         string
	URL                string // main's client listener: http://127.0.0.1:port
	RegistrationSecret string // registration_shared_secret

	t         testing.TB
	python    string
	redisPort int
	extra     string
	instances []*instance // main first
	mu        sync.Mutex  // guards the instances' processes
}

// mainName is what instance_map calls the main process.
const mainName = "main"

// Start boots a homeserver and returns when each of its processes answers; it fails the test otherwise.
func Start(t testing.TB, options Options) *Homeserver {
	t.Helper()
	hs := &Homeserver{t: t, python: Python(t), extra: options.Config, ServerName: options.ServerName}
	if hs.ServerName == "" {
		hs.ServerName = "axon.test"
	}
	began := time.Now()
	if err := hs.start(options.Workers); err != nil {
		t.Fatalf("start Synapse: %v", err)
	}
	t.Logf("Synapse: %d processes in %s", len(hs.instances), time.Since(began).Round(100*time.Millisecond))
	return hs
}

func (hs *Homeserver) start(workers []Worker) error {
	if err := hs.makeDir(); err != nil {
		return err
	}
	if err := hs.place(workers); err != nil {
		return err
	}
	if err := hs.writeFiles(); err != nil {
		return err
	}
	database, err := startPostgres(hs.databaseDir())
	if database != nil {
		hs.stopAtEnd("PostgreSQL", database, syscall.SIGQUIT)
	}
	if err != nil {
		return err
	}
	redis, err := startRedis(hs.Dir, hs.redisPort)
	if err != nil {
		return err
	}
	hs.stopAtEnd("Redis", redis, syscall.SIGTERM)
	return hs.boot()
}

// makeDir does not use t.TempDir, whose long names leave no room for a unix socket's 107 bytes and whose folders are
// closed to the user that PostgreSQL runs as.
func (hs *Homeserver) makeDir() error {
	dir, err := os.MkdirTemp("", "hs")
	if err != nil {
		return err
	}
	hs.t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			hs.t.Errorf("remove the homeserver's files: %v", err)
		}
	})
	hs.Dir = dir
	hs.ConfigPath = filepath.Join(dir, "homeserver.yaml")
	hs.WorkersDir = filepath.Join(dir, "workers")
	hs.RegistrationSecret = rand.Text()
	return errors.Join(os.Chmod(dir, 0o755), os.Mkdir(hs.WorkersDir, 0o755), os.Mkdir(filepath.Join(dir, "log"), 0o755))
}

func (hs *Homeserver) databaseDir() string { return filepath.Join(hs.Dir, "pg") }

func (hs *Homeserver) stopAtEnd(name string, p *process.Process, signal syscall.Signal) {
	hs.t.Cleanup(func() {
		if err := p.Stop(signal, 10*time.Second); err != nil {
			hs.t.Errorf("stop %s: %v", name, err)
		}
	})
}

// instance is one process of Synapse: where it listens, and what runs it now.
type instance struct {
	Worker
	Dir             string
	Port            int    // of the listener for clients; 0: none, or a unix socket
	Socket          string // of the listener for clients
	ReplicationPort int
	pid             int
}

// place gives main and every worker their addresses.
func (hs *Homeserver) place(workers []Worker) error {
	main := Worker{Name: mainName, App: "synapse.app.homeserver", Resources: both}
	for _, worker := range append([]Worker{main}, workers...) {
		at := &instance{Worker: worker, Dir: hs.Dir}
		if at.App == "" {
			at.App = genericWorker
		}
		if err := at.address(); err != nil {
			return fmt.Errorf("worker %q: %w", worker.Name, err)
		}
		hs.instances = append(hs.instances, at)
	}
	hs.URL = fmt.Sprintf("http://127.0.0.1:%d", hs.instances[0].Port)
	port, err := FreePort()
	hs.redisPort = port
	return err
}

func (at *instance) address() (err error) {
	switch {
	case len(at.Resources) == 0:
	case at.Unix:
		at.Socket = filepath.Join(at.Dir, at.Name+".sock")
	default:
		if at.Port, err = FreePort(); err != nil {
			return err
		}
	}
	if at.Name == mainName || len(at.Writes) > 0 {
		at.ReplicationPort, err = FreePort()
	}
	return err
}
