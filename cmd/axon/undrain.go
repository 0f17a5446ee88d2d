package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	adminv1 "axon/proto/axon/admin/v1"
)

func undrainCommand() *cobra.Command {
	var c workerChange
	cmd := &cobra.Command{
		Use:   "undrain WORKER",
		Short: "Send a drained worker requests again, and wait until Envoy does",
		Long: `Has Envoy send a drained worker requests again: all of its users come back to it, and nobody else's move. The command ends
with 0 when Envoy thinks the worker healthy, or does not say what it thinks; with 1 when the time is over. So the next
worker can then be drained.`,
		Example: "  axon undrain sync-1",
		Args:    usage(oneWorker),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.undrain(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	c.flags(cmd, time.Minute, "for Envoy to think the worker healthy")
	return cmd
}

// undrainView is what axon undrain --json prints.
type undrainView struct {
	Worker string `json:"worker"`
	// WasDrained is false where there was nothing to do.
	WasDrained bool `json:"was_drained"`
	// Health is Envoy's word, "unknown" where that is not known, "missing" for a worker that has left the configuration.
	Health string   `json:"health"`
	Notes  []string `json:"notes,omitempty"`
}

func (c workerChange) undrain(ctx context.Context, out io.Writer, worker string) error {
	admin, err := dialAdmin(c.address)
	if err != nil {
		return unanswered("undrain", c.address, err)
	}
	defer admin.Close()
	calling, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	r, err := admin.Undrain(calling, &adminv1.UndrainRequest{Worker: worker})
	if err != nil {
		return unanswered("undrain", c.address, err)
	}
	view := undrainView{Worker: worker, WasDrained: r.WasDrained, Notes: notes(r.Applied)}
	p := progressOn(out, c.asJSON)
	said := worker + " gets requests again"
	if !r.WasDrained {
		said = worker + " was not drained"
	}
	p.lines(append([]string{said}, view.Notes...))
	err = view.wait(ctx, admin, c, p)
	if c.asJSON {
		return errors.Join(printJSON(out, view), err)
	}
	return err
}

// wait looks until Envoy sends the worker requests, which it does to a healthy one.
func (v *undrainView) wait(ctx context.Context, admin adminClient, c workerChange, p *progress) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	v.Health = "unknown"
	for {
		w, unknown, err := admin.worker(ctx, v.Worker)
		if err == nil {
			v.Health = health(w, unknown)
			p.show(v.Worker + " is " + v.Health)
		}
		if c.noWait || err == nil && v.Health != "unhealthy" && v.Health != "draining" {
			p.end()
			return nil
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			p.lines(nil)
			return fmt.Errorf("%s: Envoy says it is %s after %s; it gets requests when it is healthy", v.Worker, v.Health, c.timeout)
		}
	}
}

func health(w *adminv1.Worker, unknown string) string {
	switch {
	case w == nil:
		return "missing"
	case unknown != "":
		return "unknown"
	case w.Traffic == nil: // it is in no cluster
		return "unchecked"
	case w.Traffic.Draining:
		return "draining"
	}
	return w.Traffic.Health
}
