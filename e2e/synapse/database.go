package synapse

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"axon/e2e/process"
)

// startPostgres makes a cluster in dir that answers on a unix socket in dir alone, and starts its server. Nothing in it
// is meant to survive a crash.
func startPostgres(dir string) (*process.Process, error) {
	owner, err := postgresOwner()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	initdb, err := postgresCommand(owner, dir, "initdb",
		"--pgdata="+data, "--username=synapse", "--auth=trust", "--locale=C", "--encoding=UTF8", "--no-sync")
	if err != nil {
		return nil, err
	}
	if output, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, output)
	}
	server, err := postgresCommand(owner, dir, "postgres", "-D", data, "-k", dir, "-c", "listen_addresses=",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
		"-c", "max_connections=200", "-c", "shared_buffers=64MB")
	if err != nil {
		return nil, err
	}
	// SIGQUIT, unlike SIGKILL, lets it remove its shared memory.
	p, err := process.Start(server, dir+".log", syscall.SIGQUIT)
	if err != nil {
		return nil, err
	}
	return p, awaitPostgres(p, dir)
}

// awaitPostgres returns when the server in dir accepts connections.
func awaitPostgres(p *process.Process, dir string) error {
	path, err := findPostgres("pg_isready")
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(30 * time.Second); p.Alive() && time.Now().Before(deadline); {
		if exec.Command(path, "--quiet", "--host="+dir, "--username=synapse").Run() == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("postgres does not answer:\n%s", tail(dir+".log"))
}

func postgresCommand(owner *syscall.Credential, dir, name string, args ...string) (*exec.Cmd, error) {
	path, err := findPostgres(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir // the working folder of the test may be closed to the owner
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	return cmd, nil
}

// postgresOwner says whom to run PostgreSQL as, which refuses root: nil for the present user.
func postgresOwner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(uidErr, gidErr)
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody")
}

// startRedis starts a server on the port that keeps nothing on disk.
func startRedis(dir string, port int) (*process.Process, error) {
	path, err := findRedis()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "--port", strconv.Itoa(port), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", dir)
	return process.Start(cmd, filepath.Join(dir, "redis.log"), syscall.SIGTERM)
}
