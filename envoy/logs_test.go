package envoy

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRecord(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	then := time.Date(2025, 12, 31, 23, 59, 59, 250e6, time.UTC)
	type entry struct {
		Time          time.Time
		Level         slog.Level
		Message, From string
	}
	tests := map[string]struct {
		line string
		want entry
	}{
		"an entry keeps its time, level and logger": {
			"[2025-12-31T23:59:59.250+00:00][warning][main] caught ENVOY_SIGTERM",
			entry{then, slog.LevelWarn, "caught ENVOY_SIGTERM", "main"},
		},
		"critical is the worst there is": {
			"[2025-12-31T23:59:59.250+00:00][critical][backtrace] Caught Segmentation fault",
			entry{then, slog.LevelError, "Caught Segmentation fault", "backtrace"},
		},
		"the inventory at the start is not for everybody": {
			"[2025-12-31T23:59:59.250+00:00][info][main]   envoy.upstreams: envoy.filters.connection_pools.tcp.generic",
			entry{then, slog.LevelDebug, "  envoy.upstreams: envoy.filters.connection_pools.tcp.generic", "main"},
		},
		"escapes are undone": {
			`[2025-12-31T23:59:59.250+00:00][info][config] it\'s \"a\\b\" caf\303\251\n`,
			entry{then, slog.LevelInfo, `it's "a\b" café`, "config"},
		},
		"a configuration in a message is dropped": {
			`[2025-12-31T23:59:59.250+00:00][warning][config] rejected: goo.gle/debugproto  \nkey: \"secret\"\n: no such thing`,
			entry{then, slog.LevelWarn, "rejected: no such thing", "config"},
		},
		"any other line is passed on as it is": {`{"path": "/"}`, entry{now, slog.LevelInfo, `{"path": "/"}`, ""}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := record(tt.line, now)
			got := entry{Time: r.Time.UTC(), Level: r.Level, Message: r.Message}
			r.Attrs(func(a slog.Attr) bool { got.From = a.Value.String(); return true })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnescapeLeavesWhatIsNoEscape(t *testing.T) {
	for in, want := range map[string]string{`a\`: `a\`, `\`: `\`, `\9`: `\9`, `\q`: `\q`, `\777`: `\777`, `\101`: "A", `\1`: "\x01"} {
		if got := unescape(in); got != want {
			t.Errorf("unescape(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(`[2025-12-31T23:59:59.250+00:00][info][config] it\'s \"a\\b\" caf\303\251\n`)
	f.Add(`[x][info][config] goo.gle/debug\1`)
	f.Fuzz(func(t *testing.T, line string) {
		if r := record(line, time.Now()); strings.Contains(r.Message, dumpStart) && logEntry.MatchString(line) {
			t.Errorf("%q passes a dump on", line)
		}
	})
}

func TestLogTailGoesOnWhereTheLastOneStopped(t *testing.T) {
	file := filepath.Join(t.TempDir(), "envoy.log")
	writer, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = writer.Close() }()
	// read is what a new tail passes on of what was written since.
	read := func(text string) []string {
		t.Helper()
		if _, err := writer.WriteString(text); err != nil {
			t.Fatal(err)
		}
		var out logBuffer
		tail, err := openLog(file, slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: onlyMessage})))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tail.close() }()
		tail.read(context.Background())
		return strings.Fields(strings.ReplaceAll(out.String(), "msg=", ""))
	}
	long := strings.Repeat("x", 100_000)
	steps := []struct {
		in   string
		want []string
	}{
		{"one\ntwo\nthr", []string{"one", "two"}},
		{"ee\n\nfour\n", []string{"three", "four"}},
		{"", []string{}},
		{long + "\nfive\n", []string{long, "five"}},
		{"six\n", []string{"six"}},
	}
	for i, step := range steps {
		if diff := cmp.Diff(step.want, read(step.in)); diff != "" {
			t.Errorf("step %d: %s", i, diff)
		}
	}
}

func onlyMessage(_ []string, a slog.Attr) slog.Attr {
	if a.Key != slog.MessageKey {
		return slog.Attr{}
	}
	return a
}
