package envoy

import (
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// logFormat goes with --log-format-escaped, which keeps each entry on one line.
const (
	logFormat     = "[%Y-%m-%dT%T.%e%z][%l][%n] %v"
	logTimeLayout = "2006-01-02T15:04:05.000-07:00"
)

var logEntry = regexp.MustCompile(`^\[([^\]]+)\]\[([a-z]+)\]\[([a-z0-9_]+)\] (.*)$`)

var slogLevels = map[string]slog.Level{
	"trace":    slog.LevelDebug,
	"debug":    slog.LevelDebug,
	"info":     slog.LevelInfo,
	"warning":  slog.LevelWarn,
	"error":    slog.LevelError,
	"critical": slog.LevelError,
}

// record makes an slog record of a line of Envoy's output. What is not in logFormat (an access log, a library's own words) is
// passed on as information.
func record(line string, now time.Time) slog.Record {
	m := logEntry.FindStringSubmatch(line)
	if m == nil {
		return slog.NewRecord(now, slog.LevelInfo, line, 0)
	}
	level, logger, text := slogLevels[m[2]], m[3], unescape(m[4])
	if inventory(logger, text) {
		level = slog.LevelDebug
	}
	at, err := time.Parse(logTimeLayout, m[1])
	if err != nil {
		at = now
	}
	r := slog.NewRecord(at, level, clean(text), 0)
	r.AddAttrs(slog.String("logger", logger))
	return r
}

// inventory tells whether it is one of the hundred lines about what is linked in, with which every Envoy starts.
func inventory(logger, text string) bool {
	return logger == "main" && (strings.HasPrefix(text, "  ") || strings.HasSuffix(text, ":"))
}

// clean drops the configuration that Envoy repeats in some messages, with any key in it.
func clean(text string) string {
	if !strings.Contains(text, dumpStart) {
		return text
	}
	return message(text)
}

var simpleEscapes = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\'': '\'', '\\': '\\'}

// unescape undoes absl::CEscape: \n and its kind, and three octal digits for a byte outside ASCII.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		if c, ok := simpleEscapes[s[i+1]]; ok {
			b.WriteByte(c)
			i++
		} else if n, err := strconv.ParseUint(s[i+1:min(i+4, len(s))], 8, 8); err == nil {
			b.WriteByte(byte(n))
			i += 3
		} else {
			b.WriteByte(s[i])
		}
	}
	return strings.TrimRight(b.String(), "\n")
}
