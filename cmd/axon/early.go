package main

import (
	"context"
	"log/slog"
	"os"

	"axon/envoy"
)

// endEarly is for an Axon that is told to end before it has begun: the Envoy that an earlier run has left must not stay behind.
// A second signal on hurry, which may be nil, cuts its drain short.
func (d deployment) endEarly(log *slog.Logger, hurry <-chan os.Signal) error {
	if !d.config.Envoy.Run {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	now := make(chan struct{})
	go func() {
		for range 2 { // the first is the one that ended all
			select {
			case <-hurry:
			case <-ctx.Done():
				return
			}
		}
		close(now)
	}()
	return envoy.End(d.config.Envoy, log, now)
}
