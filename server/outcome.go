package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"axon/server/identity"
)

// outcomes name what came of a check, the first that fits.
var outcomes = []struct {
	name string
	err  error
}{
	{"no_token", identity.ErrNoToken},
	{"unknown", identity.ErrUnknownToken},
	{"busy", identity.ErrBusy},
	{"unavailable", identity.ErrUnavailable},
	{"gone", context.Canceled}, // Envoy did not wait
	{"found", nil},
	{"error", nil}, // what no other fits
}

func outcomeOf(err error) string {
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o.name
		}
	}
	return "error"
}

// failureLog writes at most one line in a while, with the number of failures that it stands for.
type failureLog struct {
	log   *slog.Logger
	every time.Duration
	// enforce says that the requests are refused.
	enforce bool

	mu     sync.Mutex
	last   time.Time
	failed int
}

func (f *failureLog) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed++
	if now := time.Now(); f.last.IsZero() || now.Sub(f.last) >= f.every {
		f.log.Warn(failureTexts[f.enforce], "failed", f.failed, "error", err)
		f.last, f.failed = now, 0
	}
}

var failureTexts = map[bool]string{
	false: "Synapse does not say whose access tokens these are: their requests go on without X-User-Identifier, " +
		"spread over the workers by token; nothing is refused",
	true: "Synapse does not say whose access tokens these are: their requests are refused with 503, because of identity.enforce",
}
