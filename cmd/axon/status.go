package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "axon/proto/axon/admin/v1"
)

func statusCommand() *cobra.Command {
	var address string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Ask a running Axon: workers, snapshot, Envoys, cache",
		Long: `Asks the admin service of a running Axon what it knows, what it has published, which Envoys are connected and what they
acknowledged, how the last reading of the configuration ended, and, of the one Envoy at envoy.admin, the health of each
worker, its requests under way, and its requests and errors so far.`,
		Example: "  axon status\n  axon status --admin 127.0.0.1:9090 --json",
		Args:    usage(noArguments),
		RunE: func(cmd *cobra.Command, _ []string) error {
			admin, err := dialAdmin(address)
			if err != nil {
				return unanswered("status", address, err)
			}
			defer admin.Close()
			status, err := admin.status(cmd.Context())
			if err != nil {
				return unanswered("status", address, err)
			}
			if asJSON {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), protojson.MarshalOptions{Multiline: true, UseProtoNames: true, EmitDefaultValues: true}.Format(status))
				return err
			}
			printStatus(cmd.OutOrStdout(), status, time.Now())
			return nil
		},
	}
	adminFlag(cmd, &address)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func printStatus(out io.Writer, s *adminv1.StatusResponse, now time.Time) {
	fmt.Fprintf(out, "axon %s, up %s\n", s.Version, since(s.StartedAt, now))
	if s.Snapshot == nil {
		fmt.Fprintln(out, "snapshot: none is published yet")
	} else {
		fmt.Fprintf(out, "snapshot: %s, published %s ago\n", s.Snapshot.Version, since(s.Snapshot.PublishedAt, now))
	}
	if r := s.LastReload; r != nil {
		fmt.Fprintf(out, "configuration: read %s ago, %s\n", since(r.Time, now), reloadText(r))
	}
	if c := s.Cache; c != nil {
		fmt.Fprintf(out, "identities: %d cached in %d MiB, %d hits, %d misses\n", c.Entries, c.Bytes>>20, c.Hits, c.Misses)
	}
	fmt.Fprintln(out)
	printEnvoys(out, s, now)
	printWorkers(out, s, now)
	for _, w := range s.Warnings {
		fmt.Fprintf(out, "warning: %s\n", w)
	}
}

func printWorkers(out io.Writer, s *adminv1.StatusResponse, now time.Time) {
	var rows []table.Row
	for _, w := range s.Workers {
		row := table.Row{w.Name, orDash([]string{w.Address})}
		row = append(row, trafficCells(w.Traffic, s.TrafficUnknown != "" || w.Missing)...)
		rows = append(rows, append(row, drainedText(w, now), orDash(w.Groups)))
	}
	printTable(out, "WORKERS", table.Row{"name", "address", "health", "in flight", "requests", "errors", "drained", "groups"}, rows)
	if s.TrafficUnknown != "" {
		fmt.Fprintf(out, "health and requests are not known: %s\n", s.TrafficUnknown)
	}
}

// trafficCells are those of a worker; one that is in no cluster has no traffic.
func trafficCells(t *adminv1.Traffic, unknown bool) table.Row {
	switch {
	case t != nil:
		return table.Row{t.Health, inFlight(t), t.Requests, t.Errors}
	case unknown:
		return table.Row{"unknown", "unknown", "unknown", "unknown"}
	}
	return table.Row{"-", "-", "-", "-"}
}

// inFlight is a number, or from one to another where Envoy does not say it any better.
func inFlight(t *adminv1.Traffic) any {
	if t.InFlightAtMost > t.InFlight {
		return fmt.Sprintf("%d to %d", t.InFlight, t.InFlightAtMost)
	}
	return t.InFlight
}

func drainedText(w *adminv1.Worker, now time.Time) string {
	switch {
	case w.DrainedAt == nil:
		return "-"
	case w.Missing:
		return fmt.Sprintf("%s, not in the configuration", since(w.DrainedAt, now))
	}
	return since(w.DrainedAt, now).String()
}

func printEnvoys(out io.Writer, s *adminv1.StatusResponse, now time.Time) {
	var rows []table.Row
	for _, e := range s.Envoys {
		rows = append(rows, table.Row{e.NodeId, e.Build, e.Peer, since(e.ConnectedAt, now), holds(e), refused(e)})
	}
	if len(rows) == 0 {
		fmt.Fprint(out, "ENVOYS\nnone is connected\n\n")
		return
	}
	printTable(out, "ENVOYS", table.Row{"node", "build", "from", "connected", "snapshot", "refused"}, rows)
}

// holds says whether an Envoy acknowledged all of the published snapshot, or what it has not.
func holds(e *adminv1.Envoy) string {
	var behind []string
	for _, t := range slices.Sorted(maps.Keys(e.Types)) {
		if !e.Types[t].Current {
			behind = append(behind, t)
		}
	}
	if len(behind) == 0 {
		return "current"
	}
	return "behind in " + strings.Join(behind, ", ")
}

func refused(e *adminv1.Envoy) string {
	if e.LastError == nil {
		return "-"
	}
	return fmt.Sprintf("%s %s: %s", e.LastError.Type, e.LastError.Version, strings.TrimSpace(e.LastError.Message))
}

func reloadText(r *adminv1.Reload) string {
	if r.Ok {
		return "good"
	}
	return "refused; the last good one is in force:\n  " + strings.ReplaceAll(r.Error, "\n", "\n  ")
}

func since(t *timestamppb.Timestamp, now time.Time) time.Duration {
	return now.Sub(t.AsTime()).Round(time.Second)
}
