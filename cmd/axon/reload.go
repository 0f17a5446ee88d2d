package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	adminv1 "axon/proto/axon/admin/v1"
	"axon/server"
)

func reloadCommand() *cobra.Command {
	var address string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have a running Axon read its files again, and say what came of it",
		Long: `Has a running Axon read axon.yaml and Synapse's files at once, as SIGHUP does, and waits for what comes of it: published,
unchanged, or refused with all faults, and then the last good configuration stays in force.`,
		Example: "  axon reload\n  axon reload --admin 127.0.0.1:9090 --json",
		Args:    usage(noArguments),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := reload(cmd.Context(), address)
			if err != nil {
				return unanswered("reload", address, err)
			}
			refused := r.Result == string(server.Refused)
			switch {
			case asJSON:
				err = printJSON(cmd.OutOrStdout(), reloadView{r.Result, r.Error, r.Version})
			case !refused:
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: snapshot %s\n", r.Result, r.Version)
			}
			if err == nil && refused {
				err = fmt.Errorf("%s\nrefused: the last good configuration stays in force, snapshot %s", r.Error, r.Version)
			}
			return err
		},
	}
	adminFlag(cmd, &address)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// reloadView is what axon reload --json prints.
type reloadView struct {
	Result  string `json:"result"`
	Error   string `json:"error,omitempty"`
	Version string `json:"version"`
}

func reload(ctx context.Context, address string) (*adminv1.ReloadResponse, error) {
	admin, err := dialAdmin(address)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	return admin.Reload(ctx, &adminv1.ReloadRequest{})
}
