package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	adminv1 "axon/proto/axon/admin/v1"
)

// lookEvery is how often a drain looks at what is left. A worker is empty when it is so twice: a request can be on its way between
// Envoy's threads at the first look.
const lookEvery = 500 * time.Millisecond

// workerChange is what axon drain and axon undrain have in common.
type workerChange struct {
	address string
	timeout time.Duration
	noWait  bool
	asJSON  bool
}

func (c *workerChange) flags(cmd *cobra.Command, timeout time.Duration, wait string) {
	adminFlag(cmd, &c.address)
	cmd.Flags().DurationVar(&c.timeout, "timeout", timeout, "how long to wait "+wait)
	cmd.Flags().BoolVar(&c.noWait, "no-wait", false, "do not wait")
	jsonFlag(cmd, &c.asJSON)
}

func oneWorker(cmd *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return fmt.Errorf("want the name of one worker, as in: axon %s sync-1", cmd.Name())
	}
	return nil
}

func drainCommand() *cobra.Command {
	var c workerChange
	var force bool
	cmd := &cobra.Command{
		Use:   "drain WORKER",
		Short: "Send a worker nothing new, and wait until it has nothing under way",
		Long: `Has Envoy send a worker nothing new. Its users go to the other workers of its groups, and nobody else's move; what it has
under way, long polls too, goes on. The command shows how many requests are left, and ends with 0 when there are none,
with 1 when the time is over; the worker stays drained in either case, also when axon or Envoy is started again
(with state.dir). axon undrain brings its users back.

A worker that alone may serve something, like the only writer of a stream, is drained only with --force: Envoy answers
503 to its requests then.`,
		Example: "  axon drain sync-1 && systemctl restart matrix-synapse-worker@sync-1 && axon undrain sync-1",
		Args:    usage(oneWorker),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.drain(cmd.Context(), cmd.OutOrStdout(), args[0], force)
		},
	}
	c.flags(cmd, 5*time.Minute, "for the worker to have nothing under way")
	cmd.Flags().BoolVar(&force, "force", false, "drain a worker even where nobody else may serve its requests")
	return cmd
}

// drainView is what axon drain --json prints.
type drainView struct {
	Worker    string    `json:"worker"`
	DrainedAt time.Time `json:"drained_at"`
	// Empty says that nothing is under way; false also where that is not known.
	Empty bool `json:"empty"`
	// InFlight is null where it is not known, Unknown then says why.
	InFlight *uint32  `json:"in_flight"`
	Unknown  string   `json:"unknown,omitempty"`
	Notes    []string `json:"notes,omitempty"`
}

func (c workerChange) drain(ctx context.Context, out io.Writer, worker string, force bool) error {
	admin, err := dialAdmin(c.address)
	if err != nil {
		return unanswered("drain", c.address, err)
	}
	defer admin.Close()
	calling, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	r, err := admin.Drain(calling, &adminv1.DrainRequest{Worker: worker, Force: force})
	if err != nil {
		return unanswered("drain", c.address, err)
	}
	view := drainView{Worker: worker, DrainedAt: r.DrainedAt.AsTime(), Notes: notes(r.Applied)}
	p := progressOn(out, c.asJSON)
	p.lines(append([]string{worker + " is drained: it gets nothing new"}, view.Notes...))
	if c.noWait {
		err = view.see(ctx, admin)
	} else {
		err = view.wait(ctx, admin, c.timeout, p)
	}
	if c.asJSON {
		return errors.Join(printJSON(out, view), err)
	}
	if view.Empty {
		p.lines([]string{worker + " is empty"})
	}
	return err
}

// progress shows the last state of things: on a terminal in place, else in a line at each change.
type progress struct {
	out      io.Writer
	terminal bool
	shown    string
}

func progressOn(out io.Writer, silent bool) *progress {
	if silent {
		return &progress{out: io.Discard}
	}
	f, ok := out.(*os.File)
	return &progress{out: out, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

func (p *progress) show(text string) {
	switch {
	case p.terminal:
		fmt.Fprintf(p.out, "\r\x1b[K%s", text)
	case text != p.shown:
		fmt.Fprintln(p.out, text)
	}
	p.shown = text
}

// end lets what was shown stand.
func (p *progress) end() {
	if p.terminal && p.shown != "" {
		fmt.Fprintln(p.out)
	}
	p.shown = ""
}

// lines prints what is to stay.
func (p *progress) lines(all []string) {
	if p.terminal && p.shown != "" {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	p.shown = ""
	for _, line := range all {
		fmt.Fprintln(p.out, line)
	}
}
