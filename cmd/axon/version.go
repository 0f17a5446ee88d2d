package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"axon/envoy"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  axon version",
		Args:    usage(noArguments),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "axon %s, tested with Envoy %s, built with %s\n", version, envoy.PinnedVersion(), runtime.Version())
			return err
		},
	}
}
