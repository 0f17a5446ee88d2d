package synapse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"axon/e2e/process"
)

// bootLimit is generous: fifteen processes take 12 s on two idle cores.
const bootLimit = 2 * time.Minute

// boot starts all processes from one import of Synapse, by the launcher that its own complement tests use. The launcher
// first makes the schema, as main alone has to, and runs the background updates, so that the user directory is filled.
func (hs *Homeserver) boot() error {
	args := []string{"-m", "synapse.app.complement_fork_starter", hs.ConfigPath}
	for n, at := range hs.instances {
		if n > 0 {
			args = append(args, "--")
		}
		args = append(args, hs.arguments(at)...)
	}
	log := filepath.Join(hs.Dir, "log", "launcher.out")
	launcher, err := hs.launch(args, log)
	if err != nil {
		return err
	}
	if err := hs.await(launcher, log); err != nil {
		return err
	}
	return hs.findProcesses(launcher.PID)
}

// arguments are the application and the files of a process, as its administrator would start it.
func (hs *Homeserver) arguments(at *instance) []string {
	args := []string{at.App, "-c", hs.ConfigPath}
	if at.Name != mainName {
		args = append(args, "-c", at.configPath())
	}
	return args
}

func (hs *Homeserver) launch(args []string, log string) (*process.Process, error) {
	cmd := exec.Command(hs.python, args...)
	cmd.Dir = hs.Dir
	p, err := process.Start(cmd, log, syscall.SIGTERM)
	if err != nil {
		return nil, err
	}
	hs.t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			hs.t.Errorf("stop Synapse: %v", err)
		}
	})
	return p, nil
}

// await returns when all processes answer, or with the last words of those that do not.
func (hs *Homeserver) await(launcher *process.Process, log string) error {
	ctx, cancel := context.WithTimeout(context.Background(), bootLimit)
	defer cancel()
	go func() {
		select {
		case <-launcher.Done:
			cancel()
		case <-ctx.Done():
		}
	}()
	faults := make([]error, len(hs.instances))
	var waiting sync.WaitGroup
	for n, at := range hs.instances {
		waiting.Go(func() { faults[n] = at.await(ctx) })
	}
	waiting.Wait()
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%w\nlauncher:\n%s", err, tail(log))
	}
	return nil
}

// await returns when the process answers /health, which every listener serves.
func (at *instance) await(ctx context.Context) error {
	client := at.client()
	defer client.CloseIdleConnections()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.url()+"/health", nil)
		if err != nil {
			return err
		}
		if response, err := client.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("worker %q does not answer:\n%s", at.Name, tail(at.logPath()))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (at *instance) client() *http.Client {
	if at.Socket == "" {
		return &http.Client{Timeout: 5 * time.Second}
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", at.Socket)
	}
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DialContext: dial}}
}

func (at *instance) url() string {
	switch {
	case at.Socket != "":
		return "http://unix"
	case at.Port != 0:
		return fmt.Sprintf("http://127.0.0.1:%d", at.Port)
	default:
		return fmt.Sprintf("http://127.0.0.1:%d", at.ReplicationPort)
	}
}

// tail is the end of a file, for a message; what cannot be read has none.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}
