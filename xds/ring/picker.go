// Package ring says which worker Envoy picks for a key, without asking Envoy: it builds the very ring or table that Envoy
// 1.40 builds (source/extensions/load_balancing_policies), down to the rounding of its floating-point sums, and looks up
// the same hash in it.
//
// Everything here is a cluster with all its members healthy, but for those that are drained, and a first attempt. When
// workers are down Envoy builds its ring of the others, and a retry takes another point than the first.
package ring

import (
	"github.com/cespare/xxhash/v2"

	"axon/xds/plan"
	"axon/xds/translate"
)

// Picker is a hashed cluster as Envoy balances over it.
type Picker interface {
	// Pick gives the key of the host that serves a hash, "" where there are no hosts.
	Pick(hash uint64) string
	// Shares gives, by key of the host, the part of all hashes that it serves. They add up to 1.
	Shares() map[string]float64
}

// Host is one host of a cluster: the hash_key in its metadata, and its load-balancing weight, of which 0 means 1.
type Host struct {
	Key    string
	Weight uint32
}

// Hash is what Envoy makes of the one value that a terminal hash policy gives: a header after its rewrite, a query
// parameter as it stands in the path (not decoded), or an address without port in its canonical form
// (source/common/http/hash_policy.cc). Several headers of one name, and policies that are not terminal, give others.
func Hash(value string) uint64 { return xxhash.Sum64String(value) }

// For is the picker of a cluster as translate configures it, nil where the cluster is not hashed: any member may answer
// there.
func For(balance plan.Balance, c plan.Cluster) Picker {
	if !c.Hashed {
		return nil
	}
	if translate.UsesRing(balance, c) {
		lightest := Host{Key: c.Fallback.Name, Weight: 1}
		return NewRing(append(hosts(c.Live(), translate.PointsPerWorker), lightest), translate.PointsPerWorker)
	}
	live := c.Live()
	if len(live) == 0 {
		live = c.Stead
	}
	if len(live) == 0 && c.Fallback != nil { // a stand-in has a priority of its own, idle while a member is healthy
		live = []plan.Member{*c.Fallback}
	}
	return NewMaglev(hosts(live, 1), TableSize)
}

func hosts(members []plan.Member, weight uint32) []Host {
	var all []Host
	for _, m := range members {
		all = append(all, Host{Key: m.Name, Weight: weight})
	}
	return all
}

// normalized are the hosts' weights as parts of their sum (normalizeHostWeights in common/thread_aware_lb_impl.cc).
func normalized(hosts []Host) []float64 {
	var sum uint64
	for _, h := range hosts {
		sum += uint64(max(1, h.Weight))
	}
	parts := make([]float64, len(hosts))
	for i, h := range hosts {
		parts[i] = float64(max(1, h.Weight)) / float64(sum)
	}
	return parts
}

// keys are the hosts' keys, in their order.
func keys(hosts []Host) []string {
	all := make([]string, 0, len(hosts))
	for _, h := range hosts {
		all = append(all, h.Key)
	}
	return all
}
