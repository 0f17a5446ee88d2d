package demo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// width is how wide the picture may be, in columns of a terminal.
const width = 100

// Render draws the statistics: at most 100 columns wide, without colour, each line ended by a line feed.
func Render(s Stats) string {
	users := block{"who syncs where (2 devices each)", s.Users.table("user")}
	everything := block{"everything else", s.Rest.list("request")}
	byRoom := block{"which worker a room's events go to", s.Rooms.table("room")}
	byOrigin := block{"which worker a homeserver talks to", s.Origins.table("origin")}

	var b strings.Builder
	b.WriteString(head(s))
	b.WriteString("\n" + beside(users.lines(), everything.lines()))
	b.WriteString("\n" + beside(byRoom.lines(), byOrigin.lines()))
	b.WriteString("\n" + foot(s))
	return b.String()
}

// head has what matters most: a terminal that is too low loses what stands below.
func head(s Stats) string {
	return fmt.Sprintf(`axon demo: stand-in Synapse workers behind a real Envoy, set up by Axon; ctrl-c ends it
  try      curl -i %s/_matrix/client/versions   and look at X-Worker
  metrics  %s/metrics
  files    %s
  so far   %s: %d requests, %d failed
  names    %d of %d syncs came with X-User-Identifier; Axon asked whoami %d times
`, s.URL, s.AdminURL, s.Dir,
		s.Elapsed.Truncate(time.Second), s.Requests, s.Failed, s.Named, s.Syncs, s.Whoami)
}

func foot(s Stats) string {
	var b strings.Builder
	b.WriteString("✓ all devices, or all spellings of the ID, on one worker   ✗ parted   · none\n")
	for _, fault := range slices.Sorted(maps.Keys(s.Faults)) {
		b.WriteString(text.Snip(fmt.Sprintf("  failed: %d × %s", s.Faults[fault], fault), width, "…") + "\n")
	}
	return b.String()
}

// table draws a row for each name and a column for each worker.
func (s Section) table(subject string) table.Writer {
	columns := s.columns()
	header := append(make(table.Row, 0, 2+len(columns)), subject, "")
	for _, c := range columns {
		header = append(header, c)
	}
	t := newTable(header)
	for _, r := range s.Rows {
		row := append(make(table.Row, 0, 2+len(columns)), text.Snip(r.Name, 20, "…"), mark(r))
		for _, c := range columns {
			row = append(row, number(r.Landed[c]))
		}
		t.AppendRow(row)
	}
	return t
}

// columns are the fixed ones and then those that were hit beside them, by name.
func (s Section) columns() []string {
	columns := slices.Clone(s.Columns)
	var others []string
	for _, r := range s.Rows {
		for w := range r.Landed {
			if !slices.Contains(columns, w) && !slices.Contains(others, w) {
				others = append(others, w)
			}
		}
	}
	slices.Sort(others)
	return append(columns, others...)
}

// list draws a row for each name with its workers behind it.
func (s Section) list(subject string) table.Writer {
	t := newTable(table.Row{subject, "", "worker"})
	for _, r := range s.Rows {
		var workers []string
		sum := 0
		for _, w := range slices.Sorted(maps.Keys(r.Landed)) {
			workers = append(workers, w)
			sum += r.Landed[w]
		}
		t.AppendRow(table.Row{text.Snip(r.Name, 20, "…"), number(sum), text.Snip(strings.Join(workers, ", "), 30, "…")})
	}
	return t
}

func mark(r Row) string {
	switch together, known := r.Together(); {
	case !known:
		return "·"
	case together:
		return "✓"
	}
	return "✗"
}

func number(n int) string {
	if n == 0 {
		return "·"
	}
	return fmt.Sprint(n)
}

// newTable has its numbers on the right; a header of a list's last column stands on the left, as its texts do.
func newTable(header table.Row) table.Writer {
	t := table.NewWriter()
	style := table.StyleLight
	style.Options = table.Options{SeparateHeader: true}
	style.Format.Header = text.FormatDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.SetStyle(style)
	t.AppendHeader(header)
	var columns []table.ColumnConfig
	for i, name := range header {
		if i > 0 && name != "worker" {
			columns = append(columns, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
	}
	t.SetColumnConfigs(columns)
	return t
}

// block is a table under its title.
type block struct {
	title string
	table table.Writer
}

func (b block) lines() []string {
	lines := []string{b.title}
	for line := range strings.SplitSeq(b.table.Render(), "\n") {
		lines = append(lines, text.Snip(strings.TrimRight(line, " "), width, "…"))
	}
	return lines
}

// beside puts two blocks next to each other, or below each other where they do not fit.
func beside(left, right []string) string {
	const gap = 3
	wide := text.LongestLineLen(strings.Join(left, "\n")) + gap
	if wide+text.LongestLineLen(strings.Join(right, "\n")) > width {
		return strings.Join(left, "\n") + "\n\n" + strings.Join(right, "\n") + "\n"
	}
	var b strings.Builder
	for i := range max(len(left), len(right)) {
		l, r := at(left, i), at(right, i)
		b.WriteString(strings.TrimRight(text.Pad(l, wide, ' ')+r, " ") + "\n")
	}
	return b.String()
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}
