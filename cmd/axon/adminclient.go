package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"

	adminv1 "axon/proto/axon/admin/v1"
	"axon/server"
)

// How long calls to a running Axon may take: whoever asks for the status has no time to lose; a change waits for other
// changes, for Envoy's validation and for the Envoys to take it.
const (
	statusTimeout = 5 * time.Second
	changeTimeout = 2 * time.Minute
)

// adminClient talks to a running Axon.
type adminClient struct {
	adminv1.AdminServiceClient
	*grpc.ClientConn
}

// adminFlag adds --admin.
func adminFlag(cmd *cobra.Command, address *string) {
	cmd.Flags().StringVar(address, "admin", server.DefaultAdminConfig().Address, "`address` of Axon's admin service, host:port or unix:/path")
}

func dialAdmin(address string) (adminClient, error) {
	if !strings.HasPrefix(address, "unix:") {
		address = "passthrough:///" + address
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	return adminClient{adminv1.NewAdminServiceClient(conn), conn}, err
}

func (c adminClient) status(ctx context.Context) (*adminv1.StatusResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	return c.Status(ctx, &adminv1.StatusRequest{})
}

// worker is what Axon says of one worker: nil where it knows none of that name. unknown says why it has no traffic.
func (c adminClient) worker(ctx context.Context, name string) (w *adminv1.Worker, unknown string, err error) {
	s, err := c.status(ctx)
	for _, w := range s.GetWorkers() {
		if w.Name == name {
			return w, s.TrafficUnknown, nil
		}
	}
	return nil, s.GetTrafficUnknown(), err
}

// unanswered is the error of a call to a running Axon: its reason, or that there is none.
func unanswered(what, address string, err error) error {
	s := grpcstatus.Convert(err)
	switch s.Code() {
	case codes.NotFound, codes.FailedPrecondition, codes.Internal:
		return fmt.Errorf("%s: %s", what, s.Message())
	}
	return fmt.Errorf("%s of %s: %s; is axon running, and is this its admin.address?", what, address, s.Message())
}

// notes are the lines about how far a change went, beyond what was asked for.
func notes(a *adminv1.Applied) (lines []string) {
	switch {
	case a.GetEnvoys() == 0:
		lines = append(lines, "no Envoy is connected: it will be told when it is")
	case !a.GetAcknowledged():
		lines = append(lines, "not every Envoy has acknowledged it yet; see axon status")
	}
	if a.GetNotKept() != "" {
		lines = append(lines, "it will not outlive this run of axon: "+a.GetNotKept())
	}
	return lines
}
