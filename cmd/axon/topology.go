package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"axon/xds/plan"
	"axon/xds/ring"
	"axon/xds/topology"
)

func topologyCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "topology",
		Short: "Show workers, groups and stream writers, and why each is where it is",
		Long: `Shows what was found in Synapse's files and what was made of it: the processes and their addresses, the groups that
share a job and why these workers are in them, and who writes which stream. The groups section of axon.yaml overrules
what is inferred. Where all requests of a user, a room or a server go to one worker of a group, its shares say what part
of them each worker has, in the order of the workers. Which workers are drained is read in state.dir.`,
		Example: "  axon topology -c axon.yaml\n  axon topology -c axon.yaml --json | jq '.groups[] | {name, workers}'",
		Args:    usage(noArguments),
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := load(path)
			if err != nil {
				return err
			}
			if err := d.drain(); err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %v\n", err)
			}
			view := viewOf(d)
			if asJSON {
				return printJSON(cmd.OutOrStdout(), view)
			}
			view.print(cmd.OutOrStdout())
			return nil
		},
	}
	configFlag(cmd, &path)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// topologyView is what axon topology shows.
type topologyView struct {
	ServerName string       `json:"server_name"`
	Workers    []workerView `json:"workers"`
	Groups     []groupView  `json:"groups"`
	Streams    []streamView `json:"stream_writers"`
	Services   []workerView `json:"services,omitempty"`
	Warnings   []string     `json:"warnings,omitempty"`
}

type workerView struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"`
	Resources []string `json:"resources,omitempty"`
	Groups    []string `json:"groups,omitempty"`
	Source    string   `json:"source"`
	Reason    string   `json:"reason,omitempty"`
	Drained   bool     `json:"drained,omitempty"`
}

type groupView struct {
	Name    string   `json:"name"`
	Workers []string `json:"workers"`
	// Shares are the parts of all users, rooms or servers that each worker has, where requests of one stay together.
	Shares   map[string]float64 `json:"shares,omitempty"`
	Stead    []string           `json:"stead,omitempty"` // serve before Fallback does
	Fallback string             `json:"fallback,omitempty"`
	Reason   string             `json:"reason"`
	Drained  []string           `json:"drained,omitempty"`
}

type streamView struct {
	Stream  string   `json:"stream"`
	Writers []string `json:"writers"`
	Strict  bool     `json:"strict"`
}

func viewOf(d deployment) topologyView {
	v := topologyView{ServerName: d.topology.ServerName}
	for _, w := range append([]*topology.Worker{d.topology.Main}, d.topology.Workers...) {
		v.Workers = append(v.Workers, workerViewOf(w, d.plan))
	}
	for _, g := range d.plan.Groups {
		v.Groups = append(v.Groups, groupView{string(g.Name), g.Serving(), shares(d.plan, g), stead(d.plan, g), g.Fallback, g.Reason, drainedOf(d.plan, g)})
	}
	for _, stream := range topology.Streams {
		v.Streams = append(v.Streams, streamView{string(stream), d.topology.StreamWriters[stream], topology.Strict[stream]})
	}
	for name, s := range map[string]*topology.Service{"delegated_auth": d.topology.DelegatedAuth, "media_repo": d.topology.MediaRepo} {
		if s != nil {
			v.Services = append(v.Services, workerView{Name: name, Addresses: []string{s.Address.String()}, Source: s.Source.String()})
		}
	}
	slices.SortFunc(v.Services, func(a, b workerView) int { return strings.Compare(a.Name, b.Name) })
	for _, w := range d.topology.Warnings {
		v.Warnings = append(v.Warnings, fmt.Sprintf("%s: %s", w.Source, w.Text))
	}
	return v
}

func workerViewOf(w *topology.Worker, p *plan.Plan) workerView {
	v := workerView{Name: w.Name, Addresses: []string{}, Resources: w.Resources(), Groups: p.GroupsOf(w.Name), Source: w.Source.String(), Reason: w.Why}
	v.Drained = p.Drained(w.Name)
	for _, l := range w.Listeners {
		v.Addresses = append(v.Addresses, l.Address.String())
	}
	return v
}

// shares are those of a group's workers on its ring, as far as four digits tell; nil where it has none. Main's own, as the
// ring's lightest host, is nothing by that.
func shares(p *plan.Plan, g plan.Group) map[string]float64 {
	c, ok := hashedCluster(p, g)
	if !ok {
		return nil
	}
	all := map[string]float64{}
	for name, share := range ring.For(p.Balance, c).Shares() {
		if slices.Contains(g.Workers, name) {
			all[name] = math.Round(share*1e4) / 1e4
		}
	}
	return all
}

// stead are the workers of others that take over before main does.
func stead(p *plan.Plan, g plan.Group) (names []string) {
	c, _ := hashedCluster(p, g)
	for _, m := range c.Stead {
		names = append(names, m.Name)
	}
	return names
}

func hashedCluster(p *plan.Plan, g plan.Group) (plan.Cluster, bool) {
	for _, r := range p.Routes {
		if c, ok := p.Cluster(r.Cluster); ok && r.Group == g.Name && c.Hashed {
			return c, true
		}
	}
	return plan.Cluster{}, false
}

// fallbacks are named by their group: those of initial_sync may be many.
func (g groupView) fallbacks() (names []string) {
	if len(g.Stead) > 0 {
		names = append(names, string(plan.Sync))
	}
	if g.Fallback != "" {
		names = append(names, g.Fallback)
	}
	return names
}

// drainedOf are a group's workers that get nothing new.
func drainedOf(p *plan.Plan, g plan.Group) []string {
	return slices.DeleteFunc(slices.Clone(g.Workers), func(name string) bool { return !p.Drained(name) })
}

func (v topologyView) print(out io.Writer) {
	fmt.Fprintf(out, "%s\n\n", v.ServerName)
	var rows []table.Row
	for _, w := range append(v.Workers, v.Services...) {
		rows = append(rows, table.Row{w.titled(), orDash(w.Addresses), orDash(w.Resources), orDash(w.Groups), w.Source, w.Reason})
	}
	printTable(out, "WORKERS", table.Row{"name", "address", "resources", "groups", "described in", "address from"}, rows)
	rows = nil
	for _, g := range v.Groups {
		rows = append(rows, table.Row{g.Name, orDash(g.Workers), orDash(g.percent()), orDash(g.fallbacks()), g.Reason})
	}
	printTable(out, "GROUPS", table.Row{"name", "workers", "shares", "fallback", "because"}, rows)
	rows = nil
	for _, s := range v.Streams {
		rows = append(rows, table.Row{s.Stream, orDash(s.Writers), strictText(s.Strict)})
	}
	printTable(out, "STREAM WRITERS", table.Row{"stream", "writers", "elsewhere"}, rows)
	for _, w := range v.Warnings {
		fmt.Fprintf(out, "warning: %s\n", w)
	}
}

// percent gives the shares in the order of the workers.
func (g groupView) percent() (all []string) {
	for _, name := range g.Workers {
		share, hashed := g.Shares[name]
		switch {
		case hashed:
			all = append(all, fmt.Sprintf("%.1f %%", share*100))
		case len(g.Shares) > 0 && slices.Contains(g.Drained, name):
			all = append(all, "drained")
		}
	}
	return all
}

// titled is the worker's name, and whether it is drained.
func (v workerView) titled() string {
	if v.Drained {
		return v.Name + " (drained)"
	}
	return v.Name
}

func strictText(strict bool) string {
	if strict {
		return "Synapse answers 500"
	}
	return "Synapse passes it on"
}

func orDash(all []string) string {
	if text := strings.Join(all, " "); text != "" {
		return text
	}
	return "-"
}
