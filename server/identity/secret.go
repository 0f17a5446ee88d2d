package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// readSecret reads a file that holds a secret and nothing else; white space around it is not part of it. The error
// names the file and never what is in it.
func readSecret(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		var fault *fs.PathError
		if errors.As(err, &fault) {
			err = fault.Err
		}
		return "", fmt.Errorf("secret file %s: %w", path, err)
	}
	secret := strings.TrimSpace(string(data))
	if secret == "" {
		return "", fmt.Errorf("secret file %s: it is empty", path)
	}
	if strings.ContainsFunc(secret, unicode.IsControl) {
		return "", fmt.Errorf("secret file %s: one line of text is wanted", path)
	}
	return secret, nil
}

// within gives a path that a file in dir names.
func within(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
