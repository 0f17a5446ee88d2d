package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"github.com/spf13/cobra"

	"axon/envoy"
	"axon/xds"
	"axon/xds/translate"
	"axon/yamlfile"
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
		Args:    usage(noArguments),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := load(path)
			if err != nil {
				return err
			}
			broken := d.warn(cmd.ErrOrStderr())
			by, err := d.validate(cmd.Context())
			if err := errors.Join(broken, d.checkFiles(), err); err != nil {
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

// warn prints the faults that leave everything usable, and gives those that leave some requests unserved.
func (d deployment) warn(out io.Writer) error {
	var broken []error
	for _, w := range d.topology.Warnings {
		if w.Broken {
			broken = append(broken, &yamlfile.Error{Position: w.Source, Err: errors.New(w.Text)})
			continue
		}
		fmt.Fprintf(out, "warning: %s: %s\n", w.Source, w.Text)
	}
	if groups := d.plan.LeftToMain(); len(d.topology.Workers) > 0 && len(groups) > 0 {
		fmt.Fprintf(out, "warning: main alone does the work of %s: no worker is named for it or free to share it\n", strings.Join(groups, ", "))
	}
	return errors.Join(broken...)
}

// validate checks what would be published, by our own rules and by a real Envoy's if there is one; by says by whose.
func (d deployment) validate(ctx context.Context) (by string, err error) {
	if d.config.identityAlone() {
		return "no listeners: only ext_authz and ext_proc are answered, at " + d.config.Authz.Address, nil
	}
	binary, err := d.judge(ctx)
	switch {
	case err != nil:
		return "", err
	case binary == "":
		return "no Envoy was found to validate it, too", nil
	}
	version, err := envoy.Version(ctx, binary)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("validated by Envoy %s", version), nil
}

// judge has the checks made; binary is the Envoy that agreed, or empty where there is none.
func (d deployment) judge(ctx context.Context) (binary string, err error) {
	resources := d.resources()
	if _, err := xds.NewSnapshot(resources); err != nil {
		return "", err
	}
	binary, err = envoy.Find(d.config.Envoy.Path)
	switch {
	case err != nil && !d.config.Envoy.Run && d.config.Envoy.Path == "" && os.Getenv("ENVOY") == "":
		return "", nil
	case err != nil:
		return "", err
	}
	static, err := translate.Static(resources)
	if err != nil {
		return "", err
	}
	return binary, envoy.Validate(ctx, binary, &bootstrapv3.Bootstrap{Node: node(), StaticResources: static})
}
