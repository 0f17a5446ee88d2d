package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "axon/proto/axon/admin/v1"
	"axon/server"
)

// statusTimeout bounds the call: whoever asks for the status has no time to lose.
const statusTimeout = 5 * time.Second

func statusCommand() *cobra.Command {
	var address string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Ask a running Axon: workers, snapshot, Envoys, cache",
		Long: `Asks the admin service of a running Axon what it knows, what it has published, which Envoys are connected and what they
acknowledged, and how the last reading of the configuration ended.`,
		Example: "  axon status\n  axon status --admin 127.0.0.1:9090 --json",
		Args:    usage(noArguments),
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := askStatus(cmd.Context(), address)
			if err != nil {
				return fmt.Errorf("status of %s: %s; is axon running, and is this its admin.address?", address, grpcstatus.Convert(err).Message())
			}
			if asJSON {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), protojson.MarshalOptions{Multiline: true, UseProtoNames: true, EmitDefaultValues: true}.Format(status))
				return err
			}
			printStatus(cmd.OutOrStdout(), status, time.Now())
			return nil
		},
	}
	cmd.Flags().StringVar(&address, "admin", server.DefaultAdminConfig().Address, "`address` of Axon's admin service, host:port or unix:/path")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func askStatus(ctx context.Context, address string) (*adminv1.StatusResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	if !strings.HasPrefix(address, "unix:") {
		address = "passthrough:///" + address
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return adminv1.NewAdminServiceClient(conn).Status(ctx, &adminv1.StatusRequest{})
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
	var rows []table.Row
	for _, w := range s.Workers {
		rows = append(rows, table.Row{w.Name, orDash([]string{w.Address}), orDash(w.Groups)})
	}
	printTable(out, "WORKERS", table.Row{"name", "address", "groups"}, rows)
	for _, w := range s.Warnings {
		fmt.Fprintf(out, "warning: %s\n", w)
	}
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
