package xds

import (
	"context"
	"fmt"
	"log/slog"
)

// logger gives go-control-plane's own messages to slog. Its warnings are ordinary steps of the protocol ("not responding to
// request": the next one names the rest), hence debug.
type logger struct{ log *slog.Logger }

func (l logger) Debugf(format string, args ...any) { l.write(slog.LevelDebug, format, args) }
func (l logger) Infof(format string, args ...any)  { l.write(slog.LevelDebug, format, args) }
func (l logger) Warnf(format string, args ...any)  { l.write(slog.LevelDebug, format, args) }
func (l logger) Errorf(format string, args ...any) { l.write(slog.LevelError, format, args) }

func (l logger) write(level slog.Level, format string, args []any) {
	if ctx := context.Background(); l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, "go-control-plane", "message", fmt.Sprintf(format, args...))
	}
}
