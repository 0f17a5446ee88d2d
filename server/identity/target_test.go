package identity

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"axon/xds/topology"
)

func addresses(ports ...uint16) []topology.Address {
	var all []topology.Address
	for _, p := range ports {
		all = append(all, topology.Address{Host: "127.0.0.1", Port: p})
	}
	return all
}

func ports(all choices) []uint16 {
	var ports []uint16
	for _, c := range all {
		ports = append(ports, c.address.Port)
	}
	return ports
}

func TestOrder(t *testing.T) {
	over, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	left, leave := context.WithCancel(t.Context())
	leave()
	tests := map[string]struct {
		failed map[uint16]context.Context
		start  uint32
		want   []uint16
	}{
		"workers in turn, main last":         {nil, 0, []uint16{1, 2, 3, 9}},
		"the next request begins elsewhere":  {nil, 1, []uint16{2, 3, 1, 9}},
		"main is last whatever the turn":     {nil, 3, []uint16{1, 2, 3, 9}},
		"an unreachable worker comes last":   {map[uint16]context.Context{1: t.Context()}, 0, []uint16{2, 3, 9, 1}},
		"a slow worker comes before main":    {map[uint16]context.Context{1: over}, 0, []uint16{2, 3, 1, 9}},
		"who left says nothing of a worker":  {map[uint16]context.Context{1: left}, 0, []uint16{1, 2, 3, 9}},
		"an unreachable main comes last too": {map[uint16]context.Context{9: t.Context(), 2: over}, 0, []uint16{1, 3, 2, 9}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			all := choices(nil).with(addresses(1, 2, 3), addresses(9))
			for _, c := range all {
				if ctx := test.failed[c.address.Port]; ctx != nil {
					c.failed(ctx)
				}
			}
			if diff := cmp.Diff(test.want, ports(all.order(test.start))); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWorkerIsAvoidedForAShortTimeOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := choices(nil).with(addresses(1, 2), nil)
		all[0].failed(t.Context())
		if diff := cmp.Diff([]uint16{2, 1}, ports(all.order(0))); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		time.Sleep(avoidFor)
		if diff := cmp.Diff([]uint16{1, 2}, ports(all.order(0))); diff != "" {
			t.Errorf("order afterwards (-want +got):\n%s", diff)
		}
	})
}

func TestChoicesThatStayKeepWhatIsKnownOfThem(t *testing.T) {
	before := choices(nil).with(addresses(1, 2, 2), addresses(2, 9))
	if diff := cmp.Diff([]uint16{1, 2, 9}, ports(before)); diff != "" {
		t.Errorf("one address is asked once (-want +got):\n%s", diff)
	}
	after := before.with(addresses(3, 1), addresses(9))
	if diff := cmp.Diff([]uint16{3, 1, 9}, ports(after)); diff != "" {
		t.Errorf("choices (-want +got):\n%s", diff)
	}
	if after[1].target != before[0].target || after[2].target != before[2].target {
		t.Error("a target that stays was made anew")
	}
	if choices(nil).order(7) != nil {
		t.Error("nothing to ask, but something in order")
	}
}
