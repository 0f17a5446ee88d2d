package process_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"axon/e2e/process"
)

// stubborn ignores SIGTERM and has a child of its own.
const stubborn = `trap '' TERM; sleep 1000 & echo $!; while true; do wait; done`

func TestProcessesEnd(t *testing.T) {
	tests := map[string]struct {
		script string
		end    func(p *process.Process) error
	}{
		"one that heeds the signal": {
			script: `echo $$; exec sleep 1000`,
			end:    func(p *process.Process) error { return p.Stop(syscall.SIGTERM, time.Minute) },
		},
		"one that does not, with its child": {
			script: stubborn,
			end:    func(p *process.Process) error { return p.Stop(syscall.SIGTERM, 10*time.Millisecond) },
		},
		"one that is killed, with its child": {
			script: stubborn,
			end:    func(p *process.Process) error { return p.Kill() },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "log")
			p, err := process.Start(exec.Command("sh", "-c", test.script), log, syscall.SIGKILL)
			if err != nil {
				t.Fatal(err)
			}
			pid := printed(t, log)
			if err := test.end(p); err != nil {
				t.Error(err)
			}
			if p.Alive() {
				t.Error("the process is alive")
			}
			for tries := 0; running(pid) && tries < 100; tries++ {
				time.Sleep(10 * time.Millisecond)
			}
			if running(pid) {
				t.Errorf("its process %d is alive", pid)
			}
			if err := p.Stop(syscall.SIGTERM, 0); err != nil {
				t.Errorf("to stop it again: %v", err)
			}
		})
	}
}

// printed waits for the process ID that the script prints.
func printed(t *testing.T, log string) int {
	t.Helper()
	for range 500 {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			return pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the script prints no process ID")
	return 0
}

func running(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
