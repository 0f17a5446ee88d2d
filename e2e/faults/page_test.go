package faults

import (
	"os"
	"strings"
	"testing"
)

const page = "../../docs/reliability.md"

// TestThePageHasEveryFault compares what is not left to chance: the columns, and which faults have a row that says they held.
func TestThePageHasEveryFault(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if name, _, _ := strings.Cut(strings.TrimSpace(cells[0]), " ("); len(cells) == len(columns) {
			names = append(names, name)
		}
	}
	wanted := []string{columns[0], "---"}
	for _, f := range faults {
		name, _, _ := strings.Cut(f.name, " (")
		wanted = append(wanted, name)
	}
	if len(names) < len(wanted) {
		t.Fatalf("%s: %d rows, want at least %d", page, len(names), len(wanted))
	}
	for i, name := range wanted {
		if names[i] != name {
			t.Errorf("%s: row %d of the table is %q, want %q: `make faults` prints it", page, i, names[i], name)
		}
	}
	if header := "| " + strings.Join(columns, " | ") + " |\n"; !strings.Contains(string(text), header) {
		t.Errorf("%s: the columns are not\n%s", page, header)
	}
}
