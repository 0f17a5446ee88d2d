// Package disruption asks a real Envoy, given its orders by the real control plane, which users another worker serves than
// before when a worker dies, leaves, returns or gets another address, and when main dies. docs/disruption.md has the numbers.
package disruption

import (
	"fmt"
	"slices"
	"testing"

	"axon/affinity"
	"axon/xds/plan"
	"axon/xds/ring"
)

// mostMoved is how many users of the workers that stay may move.
var mostMoved = map[plan.Balance]int{plan.RingHash: 0, plan.Maglev: users / 200}

func TestWhoIsServedByAnotherWorker(t *testing.T) {
	for balance := range mostMoved {
		for _, workers := range []int{3, 4, 8} {
			t.Run(fmt.Sprintf("%s with %d workers", balance, workers), func(t *testing.T) {
				t.Parallel() // half of the time Envoy only waits for its health checks
				o := observe(t, startHomeserver(t, balance, workers))
				o.assert(t)
				o.isPublished(t)
			})
		}
	}
}

// observe sees a homeserver through everything that can happen to one of its workers and to main.
func observe(t *testing.T, h *homeserver) *observed {
	t.Helper()
	all, leaver := h.names, h.names[1]
	others := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == leaver })
	picker := h.picker(t, all)
	o := &observed{balance: h.balance, workers: all, leaver: leaver, shares: picker.Shares()}

	o.start = h.sweep(t)
	h.at, o.mispredicted = o.start, mispredicted(picker, o.start)

	h.die(leaver)
	h.untilUsed(t, leaver, false)
	o.dead, o.retries = h.sweep(t), h.retries(t)
	h.live(t, leaver, leaver)
	h.untilUsed(t, leaver, true)
	o.alive = h.sweep(t)

	h.publish(t, others)
	h.untilUsed(t, leaver, false)
	o.removed = h.sweep(t)
	h.publish(t, all)
	h.untilUsed(t, leaver, true)

	h.die(mainName)
	if h.balance == plan.Maglev { // on a ring its health is not asked
		h.untilUsed(t, mainName, false)
	}
	o.withoutMain = h.sweep(t)
	h.live(t, mainName, mainName)

	before := h.running[leaver]
	h.live(t, leaver, leaver+"-elsewhere")
	h.publish(t, all)
	h.untilUsed(t, leaver, true)
	before.Close()
	o.elsewhere = h.sweep(t)
	o.strayed = h.strayed
	return o
}

// mispredicted counts the users whom axon explain and axon topology would look for at another worker.
func mispredicted(p ring.Picker, workers []string) (n int) {
	for i, worker := range workers {
		if p.Pick(ring.Hash(affinity.UserKey(user(i)))) != worker {
			n++
		}
	}
	return n
}
