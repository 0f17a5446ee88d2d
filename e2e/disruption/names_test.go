package disruption

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"axon/affinity"
	"axon/xds/plan"
	"axon/xds/ring"
)

// forms are how deployments name their workers: Synapse's documentation, the Ansible playbook, the Helm chart, and people.
var forms = []string{
	"generic_worker%d", "synchrotron%d", "sync-%d", "sync_%d", "matrix-synapse-worker-sync-%d", "synapse-synchrotron-%d", "worker%d", "w%d", "sync-worker-0%d", "client-sync.%d",
}

// TestSharesAreEvenWhateverTheNames needs no Envoy: the test beside it shows that package ring has Envoy's own assignment.
func TestSharesAreEvenWhateverTheNames(t *testing.T) {
	for _, balance := range []plan.Balance{plan.RingHash, plan.Maglev} {
		for _, workers := range []int{3, 4, 8} {
			worst, most := 0.0, 0.0
			for _, form := range forms {
				share, users := largest(ring.For(balance, named(form, workers)))
				worst, most = max(worst, share*float64(workers)), max(most, users*float64(workers))
				if ratio := share * float64(workers); ratio > mostOfMean {
					t.Errorf("%s: %d workers named %s: a share is %.3f of the mean", balance, workers, form, ratio)
				}
			}
			t.Logf("%s, %d workers: the largest share of all names is %.3f of the mean, the largest number of %d users %.3f", balance, workers, worst, users, most)
		}
	}
}

func named(form string, workers int) plan.Cluster {
	c := plan.Cluster{Name: syncCluster, Hashed: true, Fallback: &plan.Member{Name: mainName}}
	for i := range workers {
		c.Members = append(c.Members, plan.Member{Name: fmt.Sprintf(form, i+1)})
	}
	return c
}

// largest gives the largest share, and the largest part of the users that a worker has.
func largest(p ring.Picker) (share, part float64) {
	counts := map[string]int{}
	for i := range users {
		counts[p.Pick(ring.Hash(affinity.UserKey(user(i))))]++
	}
	for name, s := range p.Shares() {
		share, part = max(share, s), max(part, float64(counts[name])/users)
	}
	return share, part
}

// BenchmarkNames takes random names, always the same ones: of so many sets of workers, the largest share in the middle and at
// worst, of the mean, and how many sets have a worker with more users than 1.05 times the mean.
func BenchmarkNames(b *testing.B) {
	const sets = 300
	for balance := range mostMoved {
		for _, workers := range []int{3, 4, 8} {
			b.Run(fmt.Sprintf("%s-%d", balance, workers), func(b *testing.B) {
				var ratios []float64
				over := 0
				for b.Loop() {
					ratios, over = nil, 0
					draw := rand.New(rand.NewPCG(1, uint64(workers)))
					for range sets {
						share, part := largest(ring.For(balance, named(fmt.Sprintf("%x-%%d", draw.Uint64()), workers)))
						ratios = append(ratios, share*float64(workers))
						if part*float64(workers) > mostOfMean {
							over++
						}
					}
				}
				slices.Sort(ratios)
				b.ReportMetric(ratios[sets/2], "median-share")
				b.ReportMetric(ratios[sets-1], "largest-share")
				b.ReportMetric(float64(over), "sets-over-1.05")
			})
		}
	}
}
