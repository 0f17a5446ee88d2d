package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	adminv1 "axon/proto/axon/admin/v1"
)

// errUndrained ends the wait for a worker that gets requests again.
var errUndrained = errors.New("is not drained any more: somebody has undrained it, or axon was started again and keeps no state (state.dir)")

// wait looks until the worker is empty, and gives an error where that takes too long.
func (v *drainView) wait(ctx context.Context, admin adminClient, timeout time.Duration, p *progress) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for empty := 0; ; {
		if err := v.see(ctx, admin); err != nil {
			p.lines(nil)
			return err
		}
		if empty++; !v.Empty {
			empty = 0
		}
		if empty == 2 {
			return nil
		}
		if ctx.Err() == nil && !v.Empty {
			p.show(v.left())
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			v.Empty = false
			p.lines(nil)
			return fmt.Errorf("%s: %s after %s; it stays drained: wait again with axon drain, or bring it back with axon undrain",
				v.Worker, v.left(), timeout)
		}
	}
}

// see looks once. A look that fails because the time is over leaves what the last one saw.
func (v *drainView) see(ctx context.Context, admin adminClient) error {
	w, unknown, err := admin.worker(ctx, v.Worker)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		v.Empty, v.InFlight, v.Unknown = false, nil, "axon does not answer"
		return nil
	case w.GetDrainedAt() == nil:
		v.Empty = false
		return fmt.Errorf("%s %w", v.Worker, errUndrained)
	}
	v.judge(w, unknown)
	return nil
}

func (v *drainView) judge(w *adminv1.Worker, unknown string) {
	v.Empty, v.InFlight, v.Unknown = false, nil, unknown
	t := w.Traffic
	switch {
	case w.Missing:
		v.Unknown = "it is not in the configuration any more"
	case t != nil && !t.Draining:
		v.Unknown = "envoy has not heard of the drain yet"
	case t != nil:
		v.InFlight, v.Empty = &t.InFlightAtMost, t.InFlightAtMost == 0
	case unknown == "": // it is in no cluster
		v.InFlight, v.Empty = new(uint32), true
	}
}

// left says in words how much is under way.
func (v *drainView) left() string {
	switch {
	case v.InFlight == nil && v.Unknown == "":
		return "requests under way: unknown"
	case v.InFlight == nil:
		return "requests under way: unknown, " + v.Unknown
	case *v.InFlight == 1:
		return "1 request is under way"
	}
	return fmt.Sprintf("%d requests are under way", *v.InFlight)
}
