package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"axon/envoy/envoytest"
)

// limit is how long anything may take before a test gives up; all of it takes seconds at most.
const limit = 40 * time.Second

// eventually calls check until it gives no error.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// process is a running command.
type process struct {
	command *exec.Cmd
	output  string        // the file of what it prints
	ended   chan struct{} // closed when it has
}

// command is a command to be run, which finds Envoy.
func (s *site) command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	command := exec.Command(name, args...)
	command.Dir = s.dir
	command.Env = append(os.Environ(), "ENVOY="+envoytest.Binary(t), "GORACE="+promptly)
	return command
}

// launch starts a command. Its log stands beside axon.yaml, where each line makes an event for who watches that.
func (s *site) launch(t *testing.T, name string, args ...string) *process {
	t.Helper()
	output, err := os.CreateTemp(s.dir, "*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	p := &process{command: s.command(t, name, args...), output: output.Name(), ended: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = output, output
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait()
	}()
	t.Cleanup(func() {
		p.kill()
		log := p.log()
		for _, u := range s.users {
			if strings.Contains(log, u.native) || strings.Contains(log, u.opaque) {
				t.Error("an access token stands in the log")
			}
		}
		if strings.Contains(log, "DATA RACE") {
			t.Error("a data race")
		}
		if t.Failed() {
			t.Logf("%s:\n%s", p.command, log)
		}
	})
	return p
}

func (p *process) log() string {
	text, err := os.ReadFile(p.output)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// says waits for a text in the log.
func (p *process) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, p.command.String(), func() error {
		if !strings.Contains(p.log(), text) {
			return fmt.Errorf("does not say %q", text)
		}
		return nil
	})
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.command.Process.Kill() // it may have ended
	<-p.ended
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// exit waits for the end and gives the exit code.
func (p *process) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		t.Fatalf("%s does not end", p.command)
	}
	return p.command.ProcessState.ExitCode()
}

// run starts axon run, and returns when clients are served and Envoy has all.
func (s *site) run(t *testing.T) *process {
	t.Helper()
	p := s.launch(t, "axon", "run", "-c", s.path("axon.yaml"))
	s.await(t, p)
	return p
}

func (s *site) await(t *testing.T, p *process) {
	t.Helper()
	eventually(t, "axon run", func() error {
		select {
		case <-p.ended:
			t.Fatalf("axon run ended: %s", p.command.ProcessState)
		default:
		}
		if status := s.get(s.admin, "/readyz"); status != 200 {
			return fmt.Errorf("/readyz: %d", status)
		}
		if status := s.get(s.front, "/_matrix/client/versions"); status != 200 {
			return fmt.Errorf("versions: %d", status)
		}
		if status := s.axon(t, "status", "--admin", s.admin); !strings.Contains(status.out, " current ") {
			return errors.New(status.out + status.err)
		}
		return nil
	})
}

// ran is how a command ended.
type ran struct {
	code     int
	out, err string
}

// axon runs a verb to its end in this very process.
func (s *site) axon(t *testing.T, args ...string) ran {
	t.Helper()
	var stdout, stderr strings.Builder
	code := run(t.Context(), args, &stdout, &stderr)
	return ran{code, stdout.String(), stderr.String()}
}
