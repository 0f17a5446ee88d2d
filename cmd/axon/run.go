package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func runCommand() *cobra.Command {
	var path, level, format string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the control plane, ext_authz and, with envoy.run, a supervised Envoy",
		Long: `Serves Envoy its configuration (xds.address) and the users behind its requests (authz.address), and follows changes of
axon.yaml and of Synapse's files. With envoy.run an Envoy of its own is started and looked after; one that a crashed
Axon left serving is taken over. SIGHUP reads the files again, SIGTERM drains and ends, a second SIGTERM hurries.

A configuration with a fault is refused whole at the start, and later leaves the last good one in force.`,
		Example: "  axon run -c /etc/axon/axon.yaml\n  axon run -c /etc/axon/axon.yaml --log-format json",
		Args:    usage(noArguments),
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLogger(cmd.ErrOrStderr(), level, format)
			if err != nil {
				return usageError{err}
			}
			again := make(chan os.Signal, 1)
			signal.Notify(again, os.Interrupt, syscall.SIGTERM)
			defer signal.Stop(again)
			return runAxon(cmd.Context(), path, log, again)
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	cmd.Flags().StringVar(&format, "log-format", "text", "text or json")
	return cmd
}

func newLogger(out io.Writer, level, format string) (*slog.Logger, error) {
	options := &slog.HandlerOptions{}
	var parsed slog.Level
	if err := parsed.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q: must be debug, info, warn or error", level)
	}
	options.Level = parsed
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(out, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(out, options)), nil
	}
	return nil, fmt.Errorf("--log-format %q: must be text or json", format)
}

// runAxon runs until ctx ends, then drains. hurry may be nil; its second signal cuts the drain short.
func runAxon(ctx context.Context, path string, log *slog.Logger, hurry <-chan os.Signal) error {
	d, by, err := begin(ctx, path, log)
	switch {
	case ctx.Err() != nil:
		return d.endEarly(log, hurry)
	case err != nil:
		return fmt.Errorf("%w\nnothing was published", err)
	}
	for _, w := range d.topology.Warnings {
		log.Warn(w.Text, "source", w.Source.String())
	}
	log.Info("configuration read", "file", path, "workers", len(d.topology.Workers), "routes", len(d.plan.Routes), "validation", by)
	f, err := newFrontDoor(path, d, log)
	if err != nil {
		return err
	}
	err = f.run(ctx, hurry)
	return errors.Join(err, f.close())
}

// begin reads what is to be served at first: what the files say or, where they can't be used, what Envoys accepted last.
func begin(ctx context.Context, path string, log *slog.Logger) (d deployment, by string, err error) {
	if d, err = load(path); err == nil {
		by, err = d.validate(ctx)
		err = errors.Join(d.checkFiles(), err)
	}
	if err != nil && ctx.Err() == nil {
		return fromDisk(ctx, d, err, log)
	}
	return d, by, err
}
