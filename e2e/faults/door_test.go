package faults

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"axon/e2e/process"
	"axon/envoy/envoytest"
)

// openFiles is the limit of Axon's and Envoy's, each.
const openFiles = 4096

// startAxon starts axon run. When the test binary dies it is told to end, and then ends Envoy, too.
func (s *site) startAxon() {
	s.t.Helper()
	limited := fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, openFiles)
	command := exec.Command("sh", "-c", limited, s.axonPath, "run", "-c", s.path("axon.yaml"))
	command.Env = append(os.Environ(), "ENVOY="+envoytest.Binary(s.t))
	p, err := process.Start(command, s.log("axon"), syscall.SIGTERM)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := p.Stop(syscall.SIGTERM, patience); err != nil {
			s.t.Error(err)
		}
	})
	s.axon = p
}

// serves waits until the front door is open: Axon says ready, and Envoy answers.
func (s *site) serves() {
	s.t.Helper()
	s.until("axon run", func() error {
		if !s.axon.Alive() {
			s.dump("axon")
			s.t.Fatal("axon run has ended")
		}
		return errors.Join(s.answers(s.admin, "/readyz"), s.answers(s.front, "/_matrix/client/versions?fault_id=none"))
	})
}

// alone is a client that keeps no connection: what answers may be another process at the next request.
var alone = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func (s *site) answers(address, path string) error {
	response, err := alone.Get("http://" + address + path)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, response.Status)
	}
	return errors.Join(err, response.Body.Close())
}

// envoyPID is that of the supervised Envoy.
func (s *site) envoyPID() (int, error) { return envoytest.SupervisedPID(s.path("envoy")) }

// endEnvoy ends the Envoy of an Axon that was killed and not started again.
func (s *site) endEnvoy() {
	pid, err := s.envoyPID()
	if err != nil {
		return
	}
	command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if strings.Contains(string(command), s.dir) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// metric gives Axon's metric of a name, with its labels.
func (s *site) metric(name string) (float64, error) {
	response, err := alone.Get("http://" + s.admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if sample, value, _ := strings.Cut(lines.Text(), " "); sample == name {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("metric %s: there is none", name)
}

// reloads is how many readings of the configuration had one of the results.
func (s *site) reloads(results ...string) (n float64) {
	for _, result := range results {
		some, err := s.metric(fmt.Sprintf("axon_config_reloads_total{result=%q}", result))
		if err == nil { // a result that has not been has no metric
			n += some
		}
	}
	return n
}

// reloading does something to the files and waits until Axon has read them with a result.
func (s *site) reloading(result string, do func()) {
	s.t.Helper()
	s.reading(do, result)
}

// reading is reloading with one of several results.
func (s *site) reading(do func(), results ...string) {
	s.t.Helper()
	before := s.reloads(results...)
	do()
	s.until("a reading that is "+strings.Join(results, " or "), func() error {
		if now := s.reloads(results...); now <= before {
			return fmt.Errorf("%g readings, as before", now)
		}
		return nil
	})
}

func (s *site) startRedis() {
	s.t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatalf("find redis-server: %v; `make e2e` installs it", err)
	}
	_, port, _ := strings.Cut(s.redisAddress, ":")
	command := exec.Command(program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.dir)
	if s.redis, err = process.Start(command, s.log("redis"), syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	p := s.redis
	s.t.Cleanup(func() { _ = p.Kill() })
}
