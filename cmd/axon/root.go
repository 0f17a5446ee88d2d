package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	done   = 0
	failed = 1
	misuse = 2
)

// usageError is a command line that can't be meant.
type usageError struct{ error }

// run is the whole program but for the exit: it handles all error logging.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return done
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(stderr, "axon: %s\n", line)
	}
	var usage usageError
	if errors.As(err, &usage) || strings.HasPrefix(err.Error(), "unknown command") {
		fmt.Fprintf(stderr, "see: %s --help\n", command.CommandPath())
		return misuse
	}
	return failed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "axon",
		Short: "The front door of Synapse workers: routing by Envoy, identity by token",
		Long: `Axon reads Synapse's own configuration files and tells Envoy where every request goes, so that all of a user's
devices land on the same sync worker, a room's events on one process, a remote server's transactions on one
process, and every request on a process that really serves it.`,
		Example: `  axon demo                                   see it work, with stand-in workers
  axon check -c axon.yaml                     is everything right?
  axon topology -c axon.yaml                  what was found, and why each worker is where it is
  axon explain -c axon.yaml GET '/_matrix/client/v3/sync?since=s1' --user @alice:example.org
  axon run -c axon.yaml                       go`,
		Args:          usage(cobra.NoArgs),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(runCommand(), checkCommand(), topologyCommand(), explainCommand(), renderCommand(), bootstrapCommand(),
		demoCommand(), statusCommand(), drainCommand(), undrainCommand(), reloadCommand(), versionCommand())
	return root
}

// usage marks the errors of an argument check as wrong usage.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// noArguments tells those who name the configuration file without -c what to do.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q; a configuration file is named with -c FILE", args[0])
	}
	return nil
}

// configFlag adds -c.
func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "axon.yaml", "Axon's configuration `file`")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

// jsonFlag adds --json.
func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON")
}
