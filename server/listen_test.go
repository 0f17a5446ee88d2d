package server

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"axon/yamlfile"
)

func TestListen(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	alive := listenRaw(t, path("alive"))
	t.Cleanup(func() { _ = alive.Close() })
	dead := listenRaw(t, path("dead"))
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	if err := os.WriteFile(path("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ address, fault string }{
		"a free port":                              {"127.0.0.1:0", ""},
		"a port in use":                            {taken.Addr().String(), "another process is listening there"},
		"a socket in a folder that is not there":   {"unix:" + path("new/folder/s"), ""},
		"a socket that a dead process left behind": {"unix:" + path("dead"), ""},
		"a socket that answers":                    {"unix:" + path("alive"), "another process is listening there"},
		"a file in the socket's place":             {"unix:" + path("file"), "not a socket"},
		"a folder that cannot be made":             {"unix:" + path("file/s"), "make its folder"},
		"a relative path":                          {"unix:run/s", "must be absolute"},
		"a path that no socket can have":           {"unix:/" + strings.Repeat("a", 107), "107 bytes"},
		"no port":                                  {"127.0.0.1", "host:port"},
		"a port out of range":                      {"127.0.0.1:65536", "up to 65535"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l, err := Listen(test.address)
			if test.fault != "" {
				if err == nil || !strings.Contains(err.Error(), test.fault) {
					t.Fatalf("error %v, want %q", err, test.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			conn, err := net.Dial(l.Addr().Network(), l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
		})
	}
	if _, err := net.Dial("unix", path("alive")); err != nil {
		t.Errorf("the living socket was taken away: %v", err)
	}
}

func listenRaw(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestASocketIsForUserAndGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	_ = l.Close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("left behind after closing: %v", fs.ErrExist)
	}
}

func TestAddressFaultsHaveTheirPlace(t *testing.T) {
	file, err := yamlfile.Parse("axon.yaml", []byte("authz:\n  address: unix:s\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := (AuthzConfig{Address: "unix:s", Mode: "0660"}).Validate(file); err == nil ||
		!strings.HasPrefix(err.Error(), `axon.yaml:2:3: authz.address: "unix:s": the path`) {
		t.Errorf("fault %v", err)
	}
	if err := (AdminConfig{""}).Validate(nil); err == nil {
		t.Error("an empty address is no fault")
	}
	if err := DefaultAuthzConfig().Validate(nil); err != nil {
		t.Error(err)
	}
	if err := DefaultAdminConfig().Validate(nil); err != nil {
		t.Error(err)
	}
}
