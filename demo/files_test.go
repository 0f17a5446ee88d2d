package demo

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// portable puts names in the place of the folder and of the ports, which differ from run to run.
func portable(d *Deployment, text string) string {
	replace := []string{d.dir, "DIR"}
	for name, port := range map[string]int{
		"FRONT": d.ports.front, "AXON-ADMIN": d.ports.axonAdmin, "ENVOY-ADMIN": d.ports.envoyAdmin,
		"REPLICATION": d.ports.mainReplication, "WRITER-REPLICATION": d.ports.writerReplication,
	} {
		replace = append(replace, strconv.Itoa(port), name)
	}
	for _, w := range d.workers {
		if w.Port() != 0 {
			replace = append(replace, strconv.Itoa(w.Port()), "PORT-OF-"+w.Name())
		}
	}
	return strings.NewReplacer(replace...).Replace(text)
}

func TestTheFilesAreThoseOfAnAdministrator(t *testing.T) {
	d := deployment(t)
	var all strings.Builder
	for _, name := range []string{"axon.yaml", "homeserver.yaml", "workers/media-1.yaml", "workers/stream-writer-1.yaml", "workers/sync-1.yaml"} {
		text, err := os.ReadFile(filepath.Join(d.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString("-- " + name + " --\n" + portable(d, string(text)))
	}
	const golden = "testdata/files.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(all.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), all.String()); diff != "" {
		t.Error(diff)
	}
	files, err := filepath.Glob(filepath.Join(d.dir, "workers", "*.yaml"))
	if err != nil || len(files) != len(roster)-1 {
		t.Errorf("%d worker files, want %d (%v)", len(files), len(roster)-1, err)
	}
}
