package ring

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// maximumSize is Envoy's default, and its limit, of points on a ring.
const maximumSize = 8 << 20

// Ring is Envoy's RING_HASH with XX_HASH.
type Ring struct {
	keys   []string
	points []point // sorted by hash
}

// point is a place on the ring, and the index of the host that serves the hashes up to it.
type point struct {
	hash uint64
	host int32
}

// NewRing builds the ring of ring_hash/ring_hash_lb.cc. The hosts stand in the order in which Envoy has them, that of the
// load assignment: sums are rounded, so that another order can give a host one point more or less.
func NewRing(hosts []Host, minimumSize uint64) *Ring {
	r := &Ring{keys: keys(hosts)}
	if len(hosts) == 0 {
		return r
	}
	parts := normalized(hosts)
	lightest := slices.Min(parts)
	scale := min(math.Ceil(lightest*float64(minimumSize))/lightest, maximumSize)
	r.points = make([]point, 0, int(math.Ceil(scale)))
	var target, made float64
	for i, part := range parts {
		target += float64(scale * part) // the conversion forbids a fused multiply-add, which would round differently
		for n := uint64(0); made < target; n++ {
			r.points = append(r.points, point{hash: pointHash(r.keys[i], n), host: int32(i)})
			made++
		}
	}
	slices.SortFunc(r.points, func(a, b point) int { return cmp.Compare(a.hash, b.hash) })
	return r
}

// pointHash is where the n-th point of a host stands.
func pointHash(key string, n uint64) uint64 {
	return xxhash.Sum64(strconv.AppendUint(append([]byte(key), '_'), n, 10))
}

// Pick gives the host of the first point at or after a hash, and that of the first of all behind the last.
func (r *Ring) Pick(hash uint64) string {
	if len(r.points) == 0 {
		return ""
	}
	i, _ := slices.BinarySearchFunc(r.points, hash, func(p point, hash uint64) int { return cmp.Compare(p.hash, hash) })
	return r.keys[r.points[i%len(r.points)].host]
}

// Shares adds up the arcs before each host's points.
func (r *Ring) Shares() map[string]float64 {
	shares := map[string]float64{}
	for _, key := range r.keys {
		shares[key] = 0
	}
	if len(r.points) == 1 {
		shares[r.keys[0]] = 1 // the arc goes all the way round, which as a difference is none
		return shares
	}
	before := uint64(0)
	if n := len(r.points); n > 0 {
		before = r.points[n-1].hash
	}
	for _, p := range r.points {
		shares[r.keys[p.host]] += float64(p.hash-before) / (1 << 64) // the first difference wraps, as the ring does
		before = p.hash
	}
	return shares
}
