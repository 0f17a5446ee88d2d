// Endpoints asks the installed Synapse which endpoints its processes register, adds where Axon sends each of them, and
// writes the table that is docs/endpoints.json.
//
//	SYNAPSE_PYTHON=.cache/venv/bin/python go run ./e2e/endpoints docs/endpoints.json
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"

	"axon/e2e/endpoints/table"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stderr)) //nolint:forbidigo // this is main
}

func run(args []string, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := write(ctx, args, stderr); err != nil {
		fmt.Fprintln(stderr, "endpoints:", err)
		return 1
	}
	return 0
}

func write(ctx context.Context, args []string, stderr io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: endpoints FILE")
	}
	python := cmp.Or(os.Getenv("SYNAPSE_PYTHON"), ".cache/venv/bin/python")
	t, err := ask(ctx, python, "e2e/endpoints/ask", stderr)
	if err != nil {
		return err
	}
	text, err := t.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(args[0], text, 0o644)
}

// ask runs the Python program in a folder, which says what Synapse registers, and completes its answer. stderr gets what
// it says when it fails.
func ask(ctx context.Context, python, program string, stderr io.Writer) (*table.Table, error) {
	command := exec.CommandContext(ctx, python, "-B", program) // no __pycache__ beside the source
	command.Stderr = stderr
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("ask Synapse: %s %s: %w; `make endpoints` installs what it needs", python, program, err)
	}
	t := &table.Table{}
	if err := errors.Join(json.Unmarshal(output, t), noneHidden(output)); err != nil {
		return nil, fmt.Errorf("ask Synapse: %w", err)
	}
	return t, t.Complete()
}
