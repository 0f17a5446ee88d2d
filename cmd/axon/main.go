// Command axon is the front door of a Synapse that runs with workers: see README.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set when Axon is built: -ldflags "-X main.version=…".
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
