package main

import (
	"context"
	"fmt"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"github.com/spf13/cobra"

	"axon/envoy"
	"axon/xds"
	"axon/xds/translate"
)

func checkCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Validate everything, with the real Envoy where there is one",
		Long: `Reads axon.yaml and Synapse's files, makes the plan and Envoy's configuration of it, and has Envoy itself validate that
where one is found (envoy.path, $ENVOY, bin/envoy, PATH). All faults of one run are reported together. Nothing is
started and nothing is changed.`,
		Example: "  axon check -c /etc/axon/axon.yaml",
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := load(path)
			if err != nil {
				return err
			}
			for _, w := range d.topology.Warnings {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s: %s\n", w.Source, w.Text)
			}
			by, err := d.validate(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "ok: %d workers, %d groups, %d clusters, %d routes; %s\n",
				len(d.topology.Workers), len(d.plan.Groups), len(d.plan.Clusters), len(d.plan.Routes), by)
			return nil
		},
	}
	configFlag(cmd, &path)
	return cmd
}

// validate checks what would be published, by our own rules and by a real Envoy's if there is one; by says by whose.
func (d deployment) validate(ctx context.Context) (by string, err error) {
	resources := d.resources()
	if _, err := xds.NewSnapshot(resources); err != nil {
		return "", err
	}
	binary, err := envoy.Find(d.config.Envoy.Path)
	if err != nil {
		if d.config.Envoy.Run {
			return "", err
		}
		return "no Envoy was found to validate it, too", nil
	}
	static, err := translate.Static(resources)
	if err != nil {
		return "", err
	}
	candidate := &bootstrapv3.Bootstrap{Node: node(), StaticResources: static}
	if err := envoy.Validate(ctx, binary, candidate); err != nil {
		return "", fmt.Errorf("envoy refuses the configuration: %w", err)
	}
	version, err := envoy.Version(ctx, binary)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("validated by Envoy %s", version), nil
}
