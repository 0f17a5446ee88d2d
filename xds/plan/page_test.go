package plan

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	page     = "../../docs/routing.md"
	pageHead = "| route | methods | paths | group | together |\n"
)

// TestPageHasTheRouteTable compares the tables of docs/routing.md with the route table. With -update it writes them: a new
// route comes under the heading of the one before it.
func TestPageHasTheRouteTable(t *testing.T) {
	rows := slices.Concat(delegatedTable, mediaRepoTable, table, leftovers)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := withRoutes(string(text), rows)
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		text = []byte(want)
	}
	if diff := cmp.Diff(string(text), want); diff != "" {
		t.Errorf("%s is not the route table, run with -update (-page +table):\n%s", page, diff)
	}
	var names []string
	for _, r := range rows {
		names = append(names, r.name)
	}
	if diff := cmp.Diff(names, slices.Concat(namesIn(tablesOf(want))...)); diff != "" {
		t.Errorf("%s has routes in another order than they are matched in, so they stand under wrong headings (-table +page):\n%s", page, diff)
	}
	for _, r := range slices.Concat(delegatedHostTable, wellKnownTable) {
		if line := fmt.Sprintf("`%s` | %s | %s", r.name, r.shownMethods(), r.shownPaths()); !strings.Contains(want, line) {
			t.Errorf("%s lacks, of other host names:\n%s", page, line)
		}
	}
}

// tablesOf are the bodies of a page's route tables.
func tablesOf(text string) (bodies []string) {
	for _, after := range strings.Split(text, pageHead)[1:] {
		body, _, _ := strings.Cut(after, "\n\n")
		bodies = append(bodies, body+"\n")
	}
	return bodies
}

// namesIn are the routes of each table.
func namesIn(bodies []string) (names [][]string) {
	for _, body := range bodies {
		var of []string
		for line := range strings.Lines(body) {
			if rest, ok := strings.CutPrefix(line, "| `"); ok {
				name, _, _ := strings.Cut(rest, "`")
				of = append(of, name)
			}
		}
		names = append(names, of)
	}
	return names
}

// withRoutes is the page with these rows, each in the table where its route is.
func withRoutes(text string, rows []row) string {
	bodies := tablesOf(text)
	names := namesIn(bodies)
	lines := make([]string, len(bodies))
	at := 0
	for _, r := range rows {
		if i := slices.IndexFunc(names, func(of []string) bool { return slices.Contains(of, r.name) }); i >= 0 {
			at = i
		}
		lines[at] += r.line()
	}
	for i, body := range bodies {
		rule, _, _ := strings.Cut(body, "\n")
		text = strings.Replace(text, pageHead+body, pageHead+rule+"\n"+lines[i], 1)
	}
	return text
}

// line is a row as the page shows it.
func (r row) line() string {
	group := fmt.Sprintf("`%s`", r.group)
	if r.status != 0 {
		group = fmt.Sprintf("Envoy answers %d", r.status)
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", r.name, r.shownMethods(), r.shownPaths(), group, r.affinity)
}

func (r row) shownMethods() string {
	if len(r.methods) == 0 {
		return "any"
	}
	return strings.Join(r.methods, ", ")
}

func (r row) shownPaths() string {
	short := strings.NewReplacer(c, "C/", c1, "A/", v1, "V1/", un, "U/")
	var shown []string
	for _, p := range r.paths {
		shown = append(shown, "`"+short.Replace(p)+"`")
	}
	return strings.Join(shown, " <br> ") + r.query.shown()
}

func (q *Query) shown() string {
	switch {
	case q == nil:
		return ""
	case q.Value == "":
		return fmt.Sprintf(", with a `%s` that is not empty", q.Name)
	default:
		return fmt.Sprintf(", with `%s=%s`", q.Name, q.Value)
	}
}
