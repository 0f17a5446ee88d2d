// Package state keeps on disk what has to outlive the process: which workers are drained, and what Envoy last accepted.
// Nothing of it is secret, and all of it can be lost: Axon then starts as it did the first time.
package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Config is the section "state" of axon.yaml.
type Config struct {
	// Dir is a folder that outlives a restart; "" keeps nothing.
	Dir string `yaml:"dir"`
}

// DefaultConfig names the folder that systemd gives a service with StateDirectory=, which our container images set, too;
// elsewhere none.
func DefaultConfig() Config { return Config{Dir: os.Getenv("STATE_DIRECTORY")} }

// ErrCorrupt says that a file does not hold what was written into it.
var ErrCorrupt = errors.New("the file does not fit its checksum")

// Kept says whether anything is.
func (c Config) Kept() bool { return c.Dir != "" }

// Write puts content into a file of the folder, which is made where it is missing: all of it or, on an error (no space, no
// permission), nothing. Where nothing is kept it does nothing.
func (c Config) Write(name string, content []byte) error {
	if !c.Kept() {
		return nil
	}
	if err := os.MkdirAll(c.Dir, 0o750); err != nil {
		return fmt.Errorf("state: %w", err)
	}
	sum := sha256.Sum256(content)
	sealed := append(hex.AppendEncode(nil, sum[:]), '\n')
	if err := renameio.WriteFile(filepath.Join(c.Dir, name), append(sealed, content...), 0o640); err != nil {
		return fmt.Errorf("state: write %s: %w", name, err)
	}
	return nil
}

// Read gives what was written last. The error is fs.ErrNotExist where nothing was, or nothing is kept, and ErrCorrupt where the
// file is not what was written.
func (c Config) Read(name string) ([]byte, error) {
	if !c.Kept() {
		return nil, fmt.Errorf("state: %s: %w", name, fs.ErrNotExist)
	}
	sealed, err := os.ReadFile(filepath.Join(c.Dir, name))
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	written, content, _ := bytes.Cut(sealed, []byte{'\n'})
	sum := sha256.Sum256(content)
	if string(written) != hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("state: %s: %w", filepath.Join(c.Dir, name), ErrCorrupt)
	}
	return content, nil
}
