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
)

// ErrNotFound says that there is no Envoy binary in any of the places where Find looks.
var ErrNotFound = errors.New("no Envoy found")

// Find gives the absolute path of the Envoy binary: path (envoy.path of the configuration), else $ENVOY, else bin/envoy of the
// working directory, envoy or bin/envoy beside the running program, else envoy on the PATH. What somebody named has to be
// there: a wrong path or $ENVOY is an error and not a reason to look elsewhere.
func Find(path string) (string, error) {
	if path != "" {
		return named("envoy.path", path)
	}
	if path = os.Getenv("ENVOY"); path != "" {
		return named("$ENVOY", path)
	}
	tried := candidates()
	for _, c := range tried {
		if executable(c) == nil {
			return filepath.Abs(c)
		}
	}
	if c, err := exec.LookPath("envoy"); err == nil {
		return filepath.Abs(c)
	}
	return "", fmt.Errorf("%w: envoy.path and $ENVOY are not set, tried %s and envoy on the PATH; run \"make envoy\", or set envoy.path",
		ErrNotFound, strings.Join(tried, ", "))
}

func named(by, path string) (string, error) {
	if err := executable(path); err != nil {
		return "", fmt.Errorf("%s: %w: %w; run \"make envoy\", or set envoy.path to an Envoy", by, ErrNotFound, err)
	}
	return filepath.Abs(path)
}

func candidates() []string {
	found := []string{filepath.Join("bin", "envoy")}
	if self, err := os.Executable(); err == nil {
		dir := filepath.Dir(self)
		found = append(found, filepath.Join(dir, "envoy"), filepath.Join(dir, "bin", "envoy"))
	}
	return found
}

func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder", path)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is not executable", path)
	}
	return nil
}

// versionLine is what "envoy --version" prints: commit, version, state of the source tree, build type, TLS library.
var versionLine = regexp.MustCompile(`version: [0-9a-f]+/([^/\s]+)/`)

// Version asks the binary at path for its version, like "1.40.0".
func Version(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", path, err)
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("%s --version: not an Envoy: %q", path, firstLine(string(out)))
	}
	return string(m[1]), nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
