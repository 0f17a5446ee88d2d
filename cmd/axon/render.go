package main

import (
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"axon/envoy"
	"axon/xds/translate"
)

// nodeID tells Axon's own Envoy apart from others in axon status.
const nodeID = "axon"

func node() *corev3.Node { return &corev3.Node{Id: nodeID, Cluster: nodeID} }

func renderCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "render",
		Short: "Print the whole thing as one static Envoy configuration",
		Long: `Prints a complete configuration for an Envoy without a control plane: listeners, routes, clusters and endpoints as they
are now. Identity is still asked of Axon's ext_authz server; where none runs, requests go on without it.`,
		Example: "  axon render -c axon.yaml > envoy.yaml && envoy -c envoy.yaml",
		Args:    usage(noArguments),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := load(path)
			if err != nil {
				return err
			}
			bootstrap, err := d.bootstrap()
			if err != nil {
				return err
			}
			static, err := translate.Static(d.resources())
			if err != nil {
				return err
			}
			bootstrap.StaticResources, bootstrap.DynamicResources = static, nil
			return printBootstrap(cmd, bootstrap, asJSON)
		},
	}
	configFlag(cmd, &path)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func bootstrapCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Print the bootstrap for an Envoy that gets the rest from Axon",
		Long: `Prints what an Envoy of your own needs to know before it can ask Axon (xds.address) for listeners, routes, clusters and
endpoints over one delta ADS stream.`,
		Example: "  axon bootstrap -c axon.yaml > bootstrap.yaml && envoy -c bootstrap.yaml",
		Args:    usage(noArguments),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := load(path)
			if err != nil {
				return err
			}
			bootstrap, err := d.bootstrap()
			if err != nil {
				return err
			}
			return printBootstrap(cmd, bootstrap, asJSON)
		},
	}
	configFlag(cmd, &path)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (d deployment) bootstrap() (*bootstrapv3.Bootstrap, error) {
	if d.config.identityAlone() {
		return nil, errNothingForEnvoy
	}
	return envoy.Bootstrap(envoy.BootstrapOptions{
		NodeID: nodeID, Cluster: nodeID, Admin: d.config.Envoy.Admin, XDS: d.config.XDS.Advertised(), MaxConnections: d.config.Envoy.MaxConnections,
	})
}

func printBootstrap(cmd *cobra.Command, bootstrap *bootstrapv3.Bootstrap, asJSON bool) error {
	out, err := envoy.BootstrapJSON(bootstrap)
	if err != nil {
		return err
	}
	if !asJSON {
		if out, err = yaml.JSONToYAML(out); err != nil {
			return err
		}
	}
	_, err = cmd.OutOrStdout().Write(out)
	return err
}
