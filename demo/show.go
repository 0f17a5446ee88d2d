package demo

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

const (
	redrawEvery = time.Second
	printEvery  = 5 * time.Second
)

// Show draws the statistics until ctx ends, and once more then: in place where out is a terminal, else one picture
// after the other. Its error is that of writing.
func Show(ctx context.Context, out io.Writer, stats func() Stats) error {
	every, draw := printEvery, func() string { return Render(stats()) + "\n" }
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		every = redrawEvery
		draw = func() string {
			_, height, err := term.GetSize(int(f.Fd()))
			if err != nil {
				height = 0
			}
			return frame(Render(stats()), height)
		}
		if _, err := io.WriteString(out, "\x1b[2J"); err != nil {
			return err
		}
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		ended := false
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		}
		if _, err := io.WriteString(out, draw()); err != nil || ended {
			return err
		}
	}
}

// frame draws over the last picture from the top left corner. What does not fit into the terminal is left out: were it
// to scroll, the next picture would not find its place. A height of 0 is one that is not known.
func frame(picture string, height int) string {
	const home, clearLine, clearBelow = "\x1b[H", "\x1b[K", "\x1b[J"
	lines := strings.Split(strings.TrimRight(picture, "\n"), "\n")
	if height > 1 && len(lines) >= height {
		lines = lines[:height-1]
	}
	return home + strings.Join(lines, clearLine+"\n") + clearLine + "\n" + clearBelow
}
