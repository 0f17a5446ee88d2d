package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"axon/e2e/synapse"
)

// clientLimit ends a client that hangs; it takes about 15 s.
const clientLimit = 5 * time.Minute

// report is what client.py prints.
type report struct {
	Requests []asked  `json:"requests"`
	Faults   []string `json:"faults"`
}

// asked is a request as the client sees it. Agent is the User-Agent, a different one for each request.
type asked struct {
	Step   string `json:"step"`
	User   string `json:"user"`
	Device string `json:"device"`
	Agent  string `json:"agent"`
	Method string `json:"method"`
	Path   string `json:"path"`
	Status int    `json:"status"`
}

func (a asked) String() string {
	return fmt.Sprintf("%s: %s %s by %s", a.Step, a.Method, a.Path, a.Agent)
}

// runClient lets client.py talk to the homeserver at url, and fails the test for each of the client's own faults.
func runClient(t *testing.T, url string) report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, synapse.Python(t), "client.py", url)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1") // no __pycache__ among the sources
	var output, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &errors
	runErr := cmd.Run()
	var r report
	if err := json.Unmarshal(output.Bytes(), &r); err != nil {
		t.Fatalf("client.py: %v; its report: %v\n%s", runErr, err, errors.String())
	}
	for _, fault := range r.Faults {
		t.Errorf("client: %s", fault)
	}
	if runErr != nil && len(r.Faults) == 0 {
		t.Errorf("client.py: %v\n%s", runErr, errors.String())
	}
	return r
}

// TestClientAgainstMainAlone is the control: where one process does everything, no step of the client fails. What fails in
// TestFrontDoor and not here is a matter of routing.
func TestClientAgainstMainAlone(t *testing.T) {
	hs := synapse.Start(t, synapse.Options{})
	r := runClient(t, hs.URL)
	for _, pair := range served(t, hs, r) {
		if pair.by.Worker != "main" || pair.by.Status != pair.Status {
			t.Errorf("%s: the client got %d, %q logged %d", pair.asked, pair.Status, pair.by.Worker, pair.by.Status)
		}
	}
}
