package demo

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"axon/demo/standin"
)

func TestPlayShowsTheTrafficUntilItIsInterrupted(t *testing.T) {
	d := deployment(t)
	frontDoor(t, d)
	ctx, interrupt := context.WithCancel(t.Context())
	var out strings.Builder
	ended := make(chan error)
	go func() { ended <- d.Play(ctx, &out) }()
	for d.Worker("initial-sync-1").Served(standin.InitialSync) == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	interrupt()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, want := range []string{"curl -i " + d.URL(), d.AdminURL() + "/metrics", d.Dir(), "alice"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not shown", want)
		}
	}
}

func TestPlayEndsWhenTheFrontDoorNeverAnswers(t *testing.T) {
	d := deployment(t)
	fault := errors.New("envoy ended")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fault)
	err := d.Play(ctx, &strings.Builder{})
	if !errors.Is(err, fault) || !strings.Contains(err.Error(), d.URL()) {
		t.Errorf("got %v", err)
	}
}
