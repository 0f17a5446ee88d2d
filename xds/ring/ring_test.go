package ring

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"axon/affinity"
	"axon/xds/plan"
)

const users = 20_000

// named is a hashed cluster of sync-1 to sync-n, with main to stand in.
func named(n int) plan.Cluster {
	c := plan.Cluster{Name: "sync", Hashed: true, Fallback: &plan.Member{Name: "main"}}
	for i := range n {
		c.Members = append(c.Members, plan.Member{Name: fmt.Sprintf("sync-%d", i+1)})
	}
	return c
}

// without is a cluster less its i-th member.
func without(c plan.Cluster, i int) plan.Cluster {
	c.Members = slices.Delete(slices.Clone(c.Members), i, i+1)
	return c
}

// assignment gives each user's worker.
func assignment(p Picker) []string {
	var workers []string
	for i := range users {
		workers = append(workers, p.Pick(Hash(affinity.UserKey(fmt.Sprintf("@user-%d:example.org", i)))))
	}
	return workers
}

// moved counts the users who changed their worker although neither of the two came or left.
func moved(before, after []string, changed string) (others int) {
	for i := range before {
		if before[i] != after[i] && before[i] != changed && after[i] != changed {
			others++
		}
	}
	return others
}

func TestWhoMovesWhenAWorkerLeavesOrReturns(t *testing.T) {
	tests := map[string]struct {
		balance plan.Balance
		workers int
		most    int // of the other workers' users
	}{
		"on a ring of 3 nobody else": {plan.RingHash, 3, 0},
		"on a ring of 4 nobody else": {plan.RingHash, 4, 0},
		"on a ring of 8 nobody else": {plan.RingHash, 8, 0},
		"in a table of 3 a few":      {plan.Maglev, 3, users / 100},
		"in a table of 4 a few":      {plan.Maglev, 4, users / 100},
		"in a table of 8 a few":      {plan.Maglev, 8, users / 100},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			all := named(test.workers)
			with := assignment(For(test.balance, all))
			for i, m := range all.Members {
				less := assignment(For(test.balance, without(all, i)))
				if others := moved(with, less, m.Name); others > test.most {
					t.Errorf("%s leaves: %d of %d users of others moved", m.Name, others, users)
				}
				if slices.Contains(less, m.Name) || !slices.Contains(with, m.Name) {
					t.Errorf("%s serves without being there, or does not serve", m.Name)
				}
			}
		})
	}
}

func TestWorkersHaveEquallyManyUsers(t *testing.T) {
	const most = 1.05 // of the mean
	for _, balance := range []plan.Balance{plan.RingHash, plan.Maglev} {
		for _, workers := range []int{3, 4, 8} {
			t.Run(fmt.Sprintf("%d by %s", workers, balance), func(t *testing.T) {
				p := For(balance, named(workers))
				counts := map[string]int{}
				for _, worker := range assignment(p) {
					counts[worker]++
				}
				for worker, share := range p.Shares() {
					if ratio := share * float64(workers); ratio > most {
						t.Errorf("%s: share %.3f of the mean", worker, ratio)
					}
					if ratio := float64(counts[worker]*workers) / users; ratio > most {
						t.Errorf("%s: users %.3f of the mean", worker, ratio)
					}
				}
			})
		}
	}
}

func TestSharesAreWhatPicksAddUpTo(t *testing.T) {
	weighted := []Host{{"a", 1}, {"b", 2}, {"c", 0}, {"d", 4}}
	tests := map[string]Picker{
		"an even ring":            For(plan.RingHash, named(3)),
		"a small, uneven ring":    NewRing(weighted, 10),
		"a ring of one point":     NewRing([]Host{{"a", 1}}, 1),
		"a ring of one host":      NewRing([]Host{{"a", 7}}, 1024),
		"an even table":           For(plan.Maglev, named(3)),
		"an uneven table":         NewMaglev(weighted, 251),
		"a table of one host":     NewMaglev([]Host{{"a", 7}}, TableSize),
		"more hosts than slots":   NewMaglev(append(weighted, Host{"e", 1}), 3),
		"fewer points than hosts": NewRing(append(weighted, Host{"e", 1}), 1),
	}
	for name, p := range tests {
		t.Run(name, func(t *testing.T) {
			const draws = 200_000
			source := rand.New(rand.NewPCG(1, 2))
			got, sum := map[string]float64{}, 0.0
			for _, share := range p.Shares() {
				sum += share
			}
			for key := range p.Shares() {
				got[key] = 0
			}
			for range draws {
				got[p.Pick(source.Uint64())] += 1.0 / draws
			}
			if diff := cmp.Diff(p.Shares(), got, cmpopts.EquateApprox(0, 0.005)); diff != "" {
				t.Errorf("(-shares +picks):\n%s", diff)
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Errorf("the shares add up to %v", sum)
			}
		})
	}
}

func TestAPointServesTheHashesUpToIt(t *testing.T) {
	r := For(plan.RingHash, named(3)).(*Ring)
	if n := len(r.points); n != 3*16384+1 {
		t.Fatalf("%d points", n)
	}
	serves := func(hash uint64, i int) {
		t.Helper()
		if got, want := r.Pick(hash), r.keys[r.points[i].host]; got != want {
			t.Errorf("hash %x: %s, want %s of point %d", hash, got, want, i)
		}
	}
	last := len(r.points) - 1
	serves(0, 0)
	serves(math.MaxUint64, 0)
	serves(r.points[last].hash, last)
	serves(r.points[last].hash+1, 0)
	for i := range last {
		serves(r.points[i].hash, i)
		serves(r.points[i].hash+1, i+1)
	}
}

func TestWhatBalancesACluster(t *testing.T) {
	strict := named(3)
	strict.Fallback = nil
	plain := named(3)
	plain.Hashed = false
	tests := map[string]struct {
		balance plan.Balance
		cluster plan.Cluster
		want    Picker
	}{
		"a ring where main is its lightest host":  {plan.RingHash, named(3), &Ring{}},
		"a table where nobody stands in":          {plan.RingHash, strict, &Maglev{}},
		"a table where it is asked for":           {plan.Maglev, named(3), &Maglev{}},
		"nothing where the cluster is not hashed": {plan.RingHash, plain, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := For(test.balance, test.cluster)
			if fmt.Sprintf("%T", got) != fmt.Sprintf("%T", test.want) {
				t.Errorf("%T, want %T", got, test.want)
			}
		})
	}
}

func TestATableDoesNotDependOnTheOrderOfHosts(t *testing.T) {
	hosts := []Host{{"a", 1}, {"b", 2}, {"c", 3}}
	want := NewMaglev(hosts, TableSize)
	slices.Reverse(hosts)
	if diff := cmp.Diff(want, NewMaglev(hosts, TableSize), cmp.AllowUnexported(Maglev{})); diff != "" {
		t.Errorf("(-before +reversed):\n%s", diff)
	}
	if hosts[0].Key != "c" {
		t.Error("the caller's hosts were sorted")
	}
}

func TestNoHostsServeNobody(t *testing.T) {
	for name, p := range map[string]Picker{"ring": NewRing(nil, 1024), "table": NewMaglev(nil, TableSize)} {
		if got := p.Pick(Hash("x")); got != "" || len(p.Shares()) != 0 {
			t.Errorf("%s: %q, %v", name, got, p.Shares())
		}
	}
}
