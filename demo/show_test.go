package demo

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOffATerminalPicturesAreAppendedEveryFiveSecondsAndAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 11*time.Second)
		defer cancel()
		var out strings.Builder
		if err := Show(ctx, &out, func() Stats { return Stats{} }); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "axon demo:"); n != 3 {
			t.Errorf("%d pictures, want 3", n)
		}
		if strings.Contains(out.String(), "\x1b") {
			t.Error("escape sequences off a terminal")
		}
	})
}

type brokenPipe struct{}

var errPipe = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

func TestWhatCannotBeWrittenEndsTheShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if err := Show(t.Context(), brokenPipe{}, func() Stats { return Stats{} }); !errors.Is(err, errPipe) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFrame(t *testing.T) {
	tests := map[string]struct {
		height int
		want   string
	}{
		"a picture is drawn from the top and clears what was there": {24, "\x1b[Ha\x1b[K\nb\x1b[K\nc\x1b[K\n\x1b[J"},
		"what is too high is cut instead of scrolled":               {3, "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J"},
		"an unknown height cuts nothing":                            {0, "\x1b[Ha\x1b[K\nb\x1b[K\nc\x1b[K\n\x1b[J"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, frame("a\nb\nc\n", tt.height)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
