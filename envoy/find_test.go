package envoy

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// realEnvoy gives the Envoy that the tests run against, and fails without one.
func realEnvoy(t testing.TB) string {
	t.Helper()
	repo, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	path := os.Getenv("ENVOY")
	if path == "" {
		path = filepath.Join(repo, "bin", "envoy")
	}
	found, err := Find(path)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func script(t *testing.T, path string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho hello\n"), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindLooksInOrder(t *testing.T) {
	t.Chdir(t.TempDir())
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	onPath := script(t, filepath.Join(cwd, "path", "envoy"), 0o755)
	t.Setenv("PATH", filepath.Dir(onPath))
	t.Setenv("ENVOY", "")
	expect := func(config, want string) {
		t.Helper()
		if got, err := Find(config); err != nil || got != want {
			t.Errorf("Find(%q) = %q, %v; want %q", config, got, err, want)
		}
	}
	expect("", onPath)
	inBin := script(t, filepath.Join(cwd, "bin", "envoy"), 0o755)
	expect("", inBin)
	fromEnv := script(t, filepath.Join(cwd, "env", "envoy"), 0o755)
	t.Setenv("ENVOY", fromEnv)
	expect("", fromEnv)
	fromConfig := script(t, filepath.Join(cwd, "config", "envoy"), 0o755)
	expect(fromConfig, fromConfig)
}

func TestFindSaysWhatItTried(t *testing.T) {
	t.Chdir(t.TempDir())
	cwd, _ := os.Getwd()
	plain := script(t, filepath.Join(cwd, "plain"), 0o644)
	tests := map[string]struct {
		path, env string
		want      []string
	}{
		"nothing anywhere":                {want: []string{"envoy.path", "$ENVOY", "bin/envoy", "PATH", "make envoy"}},
		"envoy.path names nothing":        {path: "/no/envoy", want: []string{"envoy.path: ", "/no/envoy", "make envoy"}},
		"$ENVOY names nothing":            {env: "/no/envoy", want: []string{"$ENVOY: ", "/no/envoy", "make envoy"}},
		"envoy.path names a folder":       {path: cwd, want: []string{"is a folder"}},
		"envoy.path names no program":     {path: plain, want: []string{"not executable"}},
		"a wrong $ENVOY is not passed by": {env: plain, want: []string{"$ENVOY: ", "not executable"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("ENVOY", tt.env)
			t.Setenv("PATH", cwd)
			_, err := Find(tt.path)
			if !errors.Is(err, ErrNotFound) {
				t.Fatalf("Find: %v, want ErrNotFound", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestVersion(t *testing.T) {
	got, err := Version(t.Context(), realEnvoy(t))
	if err != nil || got != PinnedVersion() {
		t.Errorf("Version = %q, %v; want %q", got, err, PinnedVersion())
	}
	other := script(t, filepath.Join(t.TempDir(), "envoy"), 0o755)
	if got, err := Version(t.Context(), other); err == nil || !strings.Contains(err.Error(), "not an Envoy") {
		t.Errorf("Version of something else = %q, %v", got, err)
	}
}
