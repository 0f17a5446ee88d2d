package envoy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/proto"
)

// The files in Config.Dir. The folder itself carries the lock.
const (
	stateName     = "envoy.json"
	bootstrapName = "envoy-bootstrap.json"
	logName       = "envoy.log"
)

// A state is what one Axon leaves to the next about the Envoy that runs.
type state struct {
	PID       int       `json:"pid"`
	StartTime uint64    `json:"start_time"` // see startTime
	Started   time.Time `json:"started"`
	Admin     string    `json:"admin"`
	Digest    string    `json:"digest"` // see digest
	Older     *ancestor `json:"older,omitempty"`
}

// An ancestor is an Envoy that has handed its sockets over and finishes what it has begun.
type ancestor struct {
	PID       int    `json:"pid"`
	StartTime uint64 `json:"start_time"`
}

// adopt gives nil if there is none any more.
func (a *ancestor) adopt() (*process, error) {
	if a == nil {
		return nil, nil
	}
	return adoptProcess(a.PID, a.StartTime)
}

// loadState gives nil if there is none. A file that cannot be understood is an error: behind it may run an Envoy.
func loadState(dir string) (*state, error) {
	file := filepath.Join(dir, stateName)
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &state{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("%s: %w; end the Envoy that it was about, if there is one, and remove the file", file, err)
	}
	return s, nil
}

func (s state) save(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, stateName), append(data, '\n'))
}

// writeFile puts a file in its place at once, so that a crash leaves the old or the new one.
func writeFile(file string, data []byte) error {
	fresh := file + ".new"
	if err := os.WriteFile(fresh, data, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, file)
}

// digest tells whether a running Envoy is what the configuration wants: the same binary (by path, size and time, since an upgrade
// may put a new one in the same place), bootstrap and flags.
func digest(binary string, b *bootstrapv3.Bootstrap, flags []string) (string, error) {
	real, err := filepath.EvalSymlinks(binary)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", err
	}
	bootstrap, err := proto.MarshalOptions{Deterministic: true}.Marshal(b)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %d %d %x %q", real, info.Size(), info.ModTime().UnixNano(), bootstrap, flags)
	return hex.EncodeToString(h.Sum(nil)), nil
}
