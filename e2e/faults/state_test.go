package faults

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// What Axon keeps on disk: see package state, and xds for the snapshot.
const (
	stateDir  = "state"
	snapshot  = "snapshot.json"
	stateSize = "8m" // of the file system, which is its own where the tests may mount one
)

// mountState makes a small file system for what Axon keeps, so that it can be full. Without the right to, the folder is closed
// instead when that is called for.
func (s *site) mountState() {
	s.t.Helper()
	dir := s.path(stateDir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		return
	}
	err := syscall.Mount("none", dir, "tmpfs", 0, "size="+stateSize)
	if errors.Is(err, syscall.EPERM) { // a container without CAP_SYS_ADMIN
		return
	}
	if err != nil {
		s.t.Fatalf("mount %s: %v", dir, err)
	}
	s.mounted = true
	s.t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			s.t.Error(err)
		}
	})
}

// fullDisk leaves no room for what Axon keeps, while the configuration changes, and Axon is killed and started again.
func fullDisk(s *site, w *window) {
	free := s.fill(w)
	s.reloading("published", func() { s.wellKnown(1) })
	s.until("a write that fails", func() error {
		n, err := s.metric("axon_state_write_failures_total")
		if n == 0 {
			err = errors.Join(err, errors.New("none has"))
		}
		return err
	})
	killAxon(s, w)
	free()
	s.reloading("published", func() { s.write("axon.yaml", s.axonYAML()) })
}

// fill takes all the room there is, and gives what frees it.
func (s *site) fill(w *window) (free func()) {
	s.t.Helper()
	dir := s.path(stateDir)
	if !s.mounted {
		w.note = "the folder is closed, for want of the right to mount one that is full"
		if err := os.Chmod(dir, 0o500); err != nil {
			s.t.Fatal(err)
		}
		return func() { _ = os.Chmod(dir, 0o700) }
	}
	w.note = "tmpfs of " + stateSize
	fat, err := os.Create(filepath.Join(dir, "fat"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer fat.Close()
	if _, err := io.Copy(fat, zeros{}); !errors.Is(err, syscall.ENOSPC) {
		s.t.Fatalf("fill %s: %v", dir, err)
	}
	return func() { s.remove(stateDir + "/fat") }
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// corruptSnapshot damages what Axon kept, in several ways, each while it is down. With Synapse's files it needs none of it;
// without them it has to give up, rather than to tell Envoy what may be anything.
func corruptSnapshot(s *site, w *window) {
	for _, damage := range []func([]byte) []byte{
		func(whole []byte) []byte { return whole[:len(whole)/2] },
		func([]byte) []byte { return nil },
		func([]byte) []byte { return []byte(strings.Repeat("\x00\xff{", 10_000)) },
		func(whole []byte) []byte { whole[len(whole)/2] ^= 1; return whole },
	} {
		s.replaceAxon(w, func() {
			file := s.path(stateDir + "/" + snapshot)
			if err := os.WriteFile(file, damage([]byte(s.read(stateDir+"/"+snapshot))), 0o600); err != nil {
				s.t.Fatal(err)
			}
			s.rename("homeserver.yaml", "homeserver.away")
			s.givesUp()
			s.rename("homeserver.away", "homeserver.yaml")
		})
	}
}

// givesUp sees that axon run ends by itself.
func (s *site) givesUp() {
	s.t.Helper()
	s.startAxon()
	select {
	case <-s.axon.Done:
	case <-time.After(patience):
		s.t.Fatal("axon run goes on with a snapshot that is damaged, and without synapse's files")
	}
}

// startWithoutFiles starts Axon while Synapse's files are away: the snapshot on disk has to do.
func startWithoutFiles(s *site, w *window) {
	s.replaceAxon(w, func() { s.rename("homeserver.yaml", "homeserver.away") })
	s.logIn(w, 3*time.Second)
	s.reading(func() { s.rename("homeserver.away", "homeserver.yaml") }, "published", "unchanged")
}

// killDrained drains a worker, and kills it as soon as Axon says that it has nothing to do: that must cost nobody anything.
func killDrained(s *site, w *window) {
	name := s.anyWorker()
	w.movers[name] = true
	s.order("drain", name, "--timeout", patience.String())
	s.replaceAxon(w, func() {}) // which has to remember
	if err := s.workers[name].Kill(); err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(time.Second)
	s.startAt(name, s.workers[name].address)
	s.order("undrain", name)
	w.note = name
}

// order runs a verb of axon, which must end with 0.
func (s *site) order(args ...string) {
	s.t.Helper()
	command := exec.Command(s.axonPath, append(args, "--admin", s.admin)...)
	if out, err := command.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", command, err, out)
	}
}
