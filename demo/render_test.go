package demo

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jedib0t/go-pretty/v6/text"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	flag.Parse()
	// How wide "✓" is depends on the locale of whoever runs the tests.
	text.OverrideRuneWidthEastAsianWidth(false)
	os.Exit(m.Run())
}

// some is a demonstration that has gone on for a while.
func some() Stats {
	s := emptyStats(cast())
	s.URL, s.AdminURL, s.Dir = "http://127.0.0.1:8008", "http://127.0.0.1:9090", "/tmp/axon-demo-1"
	s.Elapsed, s.Requests, s.Failed, s.Whoami = 72*time.Second+400*time.Millisecond, 1440, 3, 12
	s.Syncs, s.Named = 812, 810
	land := func(section *Section, name, party, worker string, times int) {
		r := section.row(name)
		r.Landed[worker] += times
		r.Last[party] = worker
	}
	for i, name := range localparts {
		w := s.Users.Columns[i%len(s.Users.Columns)]
		land(&s.Users, name, "phone", w, 60+i)
		land(&s.Users, name, "laptop", w, 70+i)
	}
	land(&s.Users, "erin", "laptop", "sync-1", 2)
	land(&s.Rooms, "#lobby", "0", "event-creator-1", 52)
	land(&s.Rooms, "#lobby", "1", "event-creator-1", 49)
	land(&s.Rooms, "#garden", "0", "event-creator-2", 1)
	land(&s.Origins, "oak.example", "0", "federation-2", 33)
	land(&s.Origins, "oak.example", "1", "federation-2", 31)
	land(&s.Rest, "initial sync", "", "initial-sync-1", 12)
	land(&s.Rest, "messages", "", "client-reader-1", 80)
	land(&s.Rest, "messages", "", "main", 2)
	s.Faults["typing: 500 by sync-1"] = 2
	s.Faults["send: no answer"] = 1
	return s
}

func TestRender(t *testing.T) {
	tests := map[string]struct {
		file  string
		stats func() Stats
	}{
		"a table at the start has all rows and no numbers": {"start.txt", func() Stats {
			s := emptyStats(cast())
			s.URL, s.AdminURL, s.Dir = "http://127.0.0.1:8008", "http://127.0.0.1:9090", "/tmp/axon-demo-1"
			return s
		}},
		"a table after a while shows marks, numbers and faults": {"while.txt", some},
		"wide characters, long names and many workers still fit": {"wide.txt", func() Stats {
			s := some()
			s.Rooms.row("#北京北京北京北京北京北京").Landed["event-creator-1"] = 7
			s.Origins.row("a.homeserver.with.quite.a.long.name.example").Landed["main"] = 7
			s.Rest.row("login").Landed = map[string]int{"client-reader-1": 1, "event-creator-1": 2, "main": 1, "sync-1": 3}
			return s
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Render(tt.stats())
			for line := range strings.Lines(got) {
				if n := text.StringWidth(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("%d columns: %s", n, line)
				}
			}
			golden := filepath.Join("testdata", tt.file)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
