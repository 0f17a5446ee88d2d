package envoy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
)

// validateTimeout is far above what Envoy needs: 3 s for 5,000 routes on a busy core.
const validateTimeout = time.Minute

// ErrRejected says that Envoy itself refused a configuration; the error that wraps it holds Envoy's own words.
var ErrRejected = errors.New("envoy rejects the configuration")

// ErrNotAsked says that Envoy could not be asked; the error that wraps it says why.
var ErrNotAsked = errors.New("validate")

// Validate lets the Envoy at path judge a bootstrap with everything that stands in its static resources, unknown fields
// included. It returns nil, an error that wraps ErrRejected with Envoy's message, or one that wraps ErrNotAsked. The
// configuration goes through a private file that is removed again.
func Validate(ctx context.Context, path string, config *bootstrapv3.Bootstrap) error {
	removeStale()
	file, err := privateFile(config)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotAsked, err)
	}
	defer func() { _ = os.RemoveAll(filepath.Dir(file)) }()
	ctx, cancel := context.WithTimeout(ctx, validateTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--mode", "validate", "-c", file, "--reject-unknown-dynamic-fields",
		"--disable-hot-restart", "--concurrency", "1", "--log-level", "error", "--log-format", "%v").CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %s: %w", ErrNotAsked, path, ctx.Err())
	case errors.As(err, &exit) && exit.Exited():
		return fmt.Errorf("%w: %s", ErrRejected, message(string(out)))
	}
	return fmt.Errorf("%w: %s: %w", ErrNotAsked, path, err)
}

// validateDir is how the names of the private folders begin.
const validateDir = "axon-validate-"

// removeStale removes the private folders that a killed Axon has left, those older than any validation can be.
func removeStale() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), validateDir+"*")) // the pattern is a good one
	for _, dir := range left {
		if info, err := os.Lstat(dir); err == nil && info.IsDir() && time.Since(info.ModTime()) > 2*validateTimeout {
			_ = os.RemoveAll(dir) // somebody else's stays
		}
	}
}

func privateFile(config *bootstrapv3.Bootstrap) (string, error) {
	json, err := BootstrapJSON(config)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", validateDir)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "envoy.json")
	if err := os.WriteFile(file, json, 0o600); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return file, nil
}

var (
	preamble = regexp.MustCompile(`(?m)^error initializing configuration '[^']*': `)
	// Some messages repeat the whole configuration, with any key in it, between dumpStart and a line that starts with the
	// message proper.
	dump   = regexp.MustCompile(`(?s)` + regexp.QuoteMeta(dumpStart) + `.*?\n: `)
	spaces = regexp.MustCompile(`\s+`) // their number is random on purpose, in what protobuf prints
)

const dumpStart = "goo.gle/debug"

// message is what Envoy has to say, on one line.
func message(out string) string {
	out = preamble.ReplaceAllString(out, "")
	out = dump.ReplaceAllString(out, "")
	if i := strings.Index(out, dumpStart); i >= 0 {
		out = out[:i] // a dump without an end
	}
	out = strings.TrimSpace(spaces.ReplaceAllString(out, " "))
	if out == "" {
		return "without a message"
	}
	return out
}
