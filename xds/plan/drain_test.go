package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"axon/xds/topology"
)

// drainable has two sync workers, one other, and one that alone writes typing.
func drainable(t *testing.T) *Plan {
	t.Helper()
	topo := homeserver("sync-1", "sync-2", "typing-1", "worker1")
	topo.StreamWriters[topology.Typing] = []string{"typing-1"}
	return build(t, topo, nil)
}

func TestADrainedWorkerStaysWhereItIs(t *testing.T) {
	p := drainable(t)
	before := drainable(t)
	drained := p.Drain([]string{"sync-1", "nobody"})
	if diff := cmp.Diff(before, p, cmpopts.IgnoreUnexported(Template{})); diff != "" {
		t.Errorf("the plan itself has changed (-before +after)\n%s", diff)
	}
	marked := 0
	for i, c := range drained.Clusters {
		for k, m := range c.Members {
			if was := p.Clusters[i].Members[k]; m.Name != was.Name || m.Address != was.Address || m.Drained != (m.Name == "sync-1") {
				t.Errorf("cluster %s: %+v, was %+v", c.Name, m, was)
			}
			if m.Drained {
				marked++
			}
		}
	}
	if marked == 0 || !drained.Drained("sync-1") || drained.Drained("sync-2") || drained.Drained("nobody") {
		t.Errorf("%d members are drained", marked)
	}
	if diff := cmp.Diff(p, drained.Drain(nil), cmpopts.IgnoreUnexported(Template{})); diff != "" {
		t.Errorf("undrained (-want +got)\n%s", diff)
	}
}

func TestWhatIsLeftUnserved(t *testing.T) {
	for name, test := range map[string]struct {
		drained []string
		want    []GroupName
	}{
		"nothing where nobody is drained":                 {nil, nil},
		"nothing where another worker does the same":      {[]string{"sync-1"}, nil},
		"nothing where main may stand in":                 {[]string{"sync-1", "sync-2", "worker1"}, nil},
		"the stream whose only writer is drained":         {[]string{"typing-1"}, []GroupName{Typing}},
		"the same, whoever else is":                       {[]string{"sync-1", "typing-1"}, []GroupName{Typing}},
		"nothing where the name is not that of a process": {[]string{"typing-2"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, drainable(t).Drain(test.drained).Unserved()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestOfTwoWritersOneMayBeDrained(t *testing.T) {
	topo := homeserver("receipts-1", "receipts-2")
	topo.StreamWriters[topology.Receipts] = []string{"receipts-1", "receipts-2"}
	p := build(t, topo, nil)
	if left := p.Drain([]string{"receipts-1"}).Unserved(); left != nil {
		t.Errorf("without one of two: %v", left)
	}
	if diff := cmp.Diff([]GroupName{Receipts}, p.Drain([]string{"receipts-1", "receipts-2"}).Unserved()); diff != "" {
		t.Errorf("without both (-want +got)\n%s", diff)
	}
}
