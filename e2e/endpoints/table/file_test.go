package table

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite Axon's part of docs/endpoints.json")

const file = "../../../docs/endpoints.json"

// TestFileIsComplete compares all of the file that does not come from Synapse.
func TestFileIsComplete(t *testing.T) {
	known, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := known.Complete(); err != nil {
		t.Fatal(err)
	}
	want, err := known.Format()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/endpoints.json is stale (`make golden`, as long as Synapse is the same), -want +got:\n%s", diff)
	}
}
