package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"axon/e2e/endpoints/table"
	"axon/e2e/synapse"
)

// TestFileIsWhatSynapseSays asks the installed Synapse again.
func TestFileIsWhatSynapseSays(t *testing.T) {
	written, err := table.Read("../../docs/endpoints.json")
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	asked, err := ask(t.Context(), synapse.Python(t), "ask", &stderr)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if written.Synapse != asked.Synapse {
		t.Errorf("docs/endpoints.json is that of Synapse %s, and %s is installed: `make endpoints`, then look at the differences", written.Synapse, asked.Synapse)
	}
	if d := difference(written, asked); d != "" {
		t.Errorf("docs/endpoints.json (-) is not what Synapse and the plan say (+): `make endpoints`\n%s", d)
	}
}

// difference says which endpoints came, went and changed.
func difference(written, asked *table.Table) string {
	var b strings.Builder
	before, after := byName(written), byName(asked)
	for _, e := range written.Endpoints {
		if now, there := after[name(e)]; !there {
			fmt.Fprintf(&b, "- %s\n", name(e))
		} else if d := cmp.Diff(e, now); d != "" {
			fmt.Fprintf(&b, "%s\n%s\n", name(e), d)
		}
	}
	for _, e := range asked.Endpoints {
		if _, there := before[name(e)]; !there {
			fmt.Fprintf(&b, "+ %s served by %v %v\n", name(e), e.Native, e.Delegated)
		}
	}
	return b.String() + cmp.Diff(written.Streams, asked.Streams)
}

func byName(t *table.Table) map[string]table.Endpoint {
	all := map[string]table.Endpoint{}
	for _, e := range t.Endpoints {
		all[name(e)] = e
	}
	return all
}

func name(e table.Endpoint) string { return e.Method + " " + e.Regex }
