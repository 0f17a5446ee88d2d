package envoy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	adminv3 "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
)

const (
	baseIDName = "envoy-base-id" // Envoy writes it: the number of what two Envoys share while one hands over
	socketName = "hot"           // the beginning of the names of the sockets over which it does
	// longestHotDir leaves room for "/hot_udp_parent_" and twenty digits in the 107 bytes of a unix socket's path.
	longestHotDir = 71
	// parentTime is how long an Envoy that has handed over may finish what it has begun. By its end each response has told its client
	// to connect anew.
	parentTime = drainTime + 10*time.Second
	// handOverTime is what a new Envoy has to serve; it takes a second or two.
	handOverTime = time.Minute
)

// hotFlags are those by which two Envoys find each other. Sockets in our own folder, as everybody on the machine may connect to
// Envoy's usual abstract ones and end it.
func hotFlags(c Config) []string {
	if !c.HotRestart {
		return []string{"--disable-hot-restart"} // its shared memory would tie Envoys on one machine together
	}
	return []string{
		"--socket-path", filepath.Join(c.Dir, socketName), "--socket-mode", "600",
		"--parent-shutdown-time-s", "31536000", // never: see retire
		// Else the new one aborts within 15 s after the old one's end (seen on 1.40).
		"--skip-hot-restart-parent-stats",
	}
}

// firstEpoch are the flags of an Envoy that takes nothing over.
func (s *Supervisor) firstEpoch() []string {
	if !s.config.HotRestart {
		return nil
	}
	_ = s.forgetHot() // of one that crashed; they harm nobody
	return []string{"--use-dynamic-base-id", "--base-id-path", filepath.Join(s.config.Dir, baseIDName)}
}

// baseID gives the number that the running Envoy has chosen.
func (s *Supervisor) baseID() (uint32, error) {
	text, err := os.ReadFile(filepath.Join(s.config.Dir, baseIDName))
	if err != nil {
		return 0, err
	}
	id, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", baseIDName, err)
	}
	return uint32(id), nil
}

// parentSocket is where the Envoy of an epoch listens to its successor. Envoy has ten times the base id in 32 bits with a sign and
// adds the epoch to them in 64 without one (seen on 1.40), so that some ids make a number of twenty digits.
func (s *Supervisor) parentSocket(id, epoch uint32) string {
	number := uint64(int32(id*10)) + uint64(epoch%3)
	return filepath.Join(s.config.Dir, fmt.Sprintf("%s_parent_%d", socketName, number))
}

// forgetHot removes what Envoys with hot restart leave: sockets, and 104 bytes of shared memory.
func (s *Supervisor) forgetHot() error {
	files, err := filepath.Glob(filepath.Join(s.config.Dir, socketName+"_*"))
	if id, err := s.baseID(); err == nil {
		files = append(files, fmt.Sprintf("/dev/shm/envoy_shared_memory_%d0", id), filepath.Join(s.config.Dir, baseIDName))
	}
	faults := []error{err}
	for _, file := range files {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// canFollow says whether a new Envoy can take over from a running one, and logs why not.
func (s *Supervisor) canFollow(ctx context.Context, running *adminv3.ServerInfo) bool {
	if !s.config.HotRestart {
		return false
	}
	err := s.compatible(ctx, running)
	if err != nil {
		s.log.Warn("a hot restart of envoy is not possible", "error", err)
	}
	return err == nil
}

func (s *Supervisor) compatible(ctx context.Context, running *adminv3.ServerInfo) error {
	options := running.GetCommandLineOptions()
	if want := filepath.Join(s.config.Dir, socketName); options.GetDisableHotRestart() || options.GetSocketPath() != want {
		return errors.New("the envoy that runs was started without envoy.hot_restart, or with another envoy.dir")
	}
	if _, err := s.baseID(); err != nil {
		return err
	}
	speaks, err := hotVersion(ctx, s.binary)
	if err != nil {
		return err
	}
	if runs := running.GetHotRestartVersion(); speaks != runs {
		return fmt.Errorf("%s has the hot restart version %s, and the envoy that runs %s", s.binary, speaks, runs)
	}
	return nil
}

// hotVersion is that of the protocol between two Envoys, like "11.104".
func hotVersion(ctx context.Context, binary string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, "--hot-restart-version").CombinedOutput() // 1.40 prints it to standard error
	if err != nil {
		return "", fmt.Errorf("%s --hot-restart-version: %w", binary, err)
	}
	return firstLine(string(out)), nil
}
