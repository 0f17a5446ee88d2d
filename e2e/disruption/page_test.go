package disruption

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

const (
	page    = "../../docs/disruption.md"
	refresh = "go test -count=1 -timeout 30m -run Served ./e2e/disruption -update"
)

var (
	update = flag.Bool("update", false, "rewrite the table of docs/disruption.md; make golden does not, because it takes minutes")
	onPage sync.Mutex
)

// isPublished compares the page's line: nothing in it is left to chance.
func (o *observed) isPublished(t *testing.T) {
	t.Helper()
	onPage.Lock()
	defer onPage.Unlock()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	published := ""
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, o.lineStart()) {
			published = line
		}
	}
	seen := o.line() + "\n"
	t.Logf("%s (%d requests were sent again)", o.line(), o.retries)
	switch {
	case published == seen:
	case published == "":
		t.Errorf("%s has no line that begins with %q", page, o.lineStart())
	case *update && !t.Failed():
		if err := os.WriteFile(page, []byte(strings.Replace(string(text), published, seen, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s has other numbers; if these are right: %s\n- %s+ %s", page, refresh, published, seen)
	}
}

// lineStart is what no other line of the page begins with.
func (o *observed) lineStart() string { return fmt.Sprintf("| %s | %d |", o.balance, len(o.workers)) }
