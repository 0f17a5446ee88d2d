package ring

import (
	"slices"
	"testing"

	"axon/xds/plan"
)

// drained is a cluster with its i-th member drained.
func drained(c plan.Cluster, i ...int) plan.Cluster {
	c.Members = slices.Clone(c.Members)
	for _, i := range i {
		c.Members[i].Drained = true
	}
	return c
}

func TestADrainedWorkerHasTheUsersOfOneThatIsNotThere(t *testing.T) {
	for _, balance := range []plan.Balance{plan.RingHash, plan.Maglev} {
		all := named(4)
		for i := range all.Members {
			got, want := assignment(For(balance, drained(all, i))), assignment(For(balance, without(all, i)))
			if !slices.Equal(got, want) {
				t.Errorf("%s without member %d: users are elsewhere", balance, i)
			}
		}
	}
}

func TestWhoServesWhenAllAreDrained(t *testing.T) {
	strict := named(2)
	strict.Fallback = nil
	for name, test := range map[string]struct {
		balance plan.Balance
		cluster plan.Cluster
		want    string
	}{
		"main, on a ring":              {plan.RingHash, drained(named(2), 0, 1), "main"},
		"main, behind a table":         {plan.Maglev, drained(named(2), 0, 1), "main"},
		"nobody, where none stands in": {plan.RingHash, drained(strict, 0, 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := For(test.balance, test.cluster).Pick(Hash("alice")); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// On the real Envoy, too.
func TestRealEnvoyPicksTheSameWorkerWhereSomeAreDrained(t *testing.T) {
	for _, balance := range []plan.Balance{plan.RingHash, plan.Maglev} {
		t.Run(string(balance), func(t *testing.T) {
			p := deployment(t, balance).Drain([]string{"sync-2", "event-creator-1", "event-creator-3", "fed-9", "fed-10", "receipts-b"})
			f := startFront(t, p, prepare)
			for name, k := range kinds {
				t.Run(name, func(t *testing.T) { k.compare(t, f, picker(p, k.cluster)) })
			}
		})
	}
}
