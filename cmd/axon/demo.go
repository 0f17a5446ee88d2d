package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"axon/demo"
)

func demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show everything at once on this machine: stand-in workers, Axon and a real Envoy",
		Long: `Starts stand-ins for Synapse's processes, Axon and a real Envoy on free ports of 127.0.0.1, sends a little traffic of a few
users with two devices each, and shows who lands where until it is interrupted. Nothing is left behind.`,
		Example: "  axon demo",
		Args:    usage(noArguments),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
}

func runDemo(ctx context.Context, stdout, stderr io.Writer) (err error) {
	fmt.Fprintln(stdout, "starting stand-in workers, axon and envoy …")
	d, err := demo.New(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	logPath := filepath.Join(d.Dir(), "axon.log")
	logFile, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer logFile.Close()
	log, err := newLogger(logFile, "info", "text")
	if err != nil {
		return err
	}

	playing, fail := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := runAxon(playing, d.ConfigPath(), log, nil)
		fail(err)
		ended <- err
	}()
	playErr := d.Play(playing, stdout)
	fail(nil)
	if err = <-ended; err == nil { // else the front door never answered because of it
		err = playErr
	}
	if err != nil {
		fmt.Fprintln(stderr, "the log of axon and envoy:")
		copyLog(stderr, logPath)
	}
	return err
}

func copyLog(out io.Writer, path string) {
	log, err := os.ReadFile(path)
	if err != nil {
		fmt.Fprintln(out, err)
		return
	}
	_, _ = out.Write(log)
}
