package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxSocketPath is what fits into sockaddr_un on Linux.
const maxSocketPath = 107

// socketMode lets Envoy in where it shares Axon's user or group.
const socketMode fs.FileMode = 0o660

// Listen listens on "host:port" or "unix:/path". Port 0 means any free one.
//
// For a unix socket, a missing parent folder is made, and a socket that a dead process left behind is replaced; one that
// still answers is an error. The socket gets mode 0660.
func Listen(address string) (net.Listener, error) { return listen(address, socketMode) }

func listen(address string, mode fs.FileMode) (net.Listener, error) {
	network, rest, err := split(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", address, err)
	}
	if network == "unix" {
		return listenUnix(rest, mode)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), network, rest)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: another process is listening there", address)
	}
	return l, err
}

// split gives an address in the words of package net.
func split(address string) (network, rest string, err error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		switch {
		case !filepath.IsAbs(path):
			return "", "", errors.New("the path of a unix socket must be absolute, as in unix:/run/axon/authz.sock")
		case len(path) > maxSocketPath:
			return "", "", fmt.Errorf("the path of a unix socket must not be longer than %d bytes", maxSocketPath)
		}
		return "unix", path, nil
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", "", errors.New("not an address; write host:port or unix:/path")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", "", errors.New("the port must be a number up to 65535")
	}
	return "tcp", address, nil
}

func listenUnix(path string, mode fs.FileMode) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("listen on unix:%s: make its folder: %w", path, err)
	}
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("listen on unix:%s: %w", path, err)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on unix:%s: %w", path, err), l.Close())
	}
	return l, nil
}

// removeStale removes the socket of a process that is gone. Only a refused connection proves that: a full or forbidden
// socket belongs to somebody.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("something that is not a socket is there; remove it or choose another path")
	}
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "unix", path)
	if err == nil {
		return errors.Join(errors.New("another process is listening there"), conn.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("find out whether another process is listening there: %w", err)
	}
	return os.Remove(path)
}
