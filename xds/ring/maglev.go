package ring

import (
	"cmp"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// TableSize is Envoy's default size of a Maglev table.
const TableSize = 65537

// Maglev is Envoy's MAGLEV.
type Maglev struct {
	keys  []string
	table []int32 // of indices in keys
}

// candidate is a host that fills the table: it takes slots in the order of its own permutation of them.
type candidate struct {
	offset, skip, next uint64
	part, target       float64
}

const free = -1

// NewMaglev builds the table of maglev/maglev_lb.cc. The order of the hosts does not matter. The size must be a prime
// number, as Envoy demands, or the permutations do not reach every slot.
func NewMaglev(hosts []Host, tableSize uint64) *Maglev {
	sorted := slices.SortedFunc(slices.Values(hosts), func(a, b Host) int { return cmp.Compare(a.Key, b.Key) })
	m := &Maglev{keys: keys(sorted)}
	if len(hosts) == 0 {
		return m
	}
	m.table = slices.Repeat([]int32{free}, int(tableSize))
	m.fill(candidates(sorted, tableSize))
	return m
}

func candidates(sorted []Host, tableSize uint64) []candidate {
	var all []candidate
	for i, part := range normalized(sorted) {
		key := sorted[i].Key
		all = append(all, candidate{
			offset: xxhash.Sum64String(key) % tableSize,
			skip:   seeded(key, 1)%(tableSize-1) + 1,
			part:   part,
		})
	}
	return all
}

func seeded(key string, seed uint64) uint64 {
	digest := xxhash.NewWithSeed(seed)
	_, _ = digest.WriteString(key)
	return digest.Sum64()
}

// fill lets the candidates take slots by turns, a lighter one less often than the heaviest.
func (m *Maglev) fill(all []candidate) {
	heaviest := 0.0
	for _, c := range all {
		heaviest = max(heaviest, c.part)
	}
	taken := 0
	for turn := uint32(1); ; turn++ {
		for i := range all {
			c := &all[i]
			if float64(turn)*c.part < c.target {
				continue
			}
			c.target += heaviest
			m.table[c.slot(m.table)] = int32(i)
			if taken++; taken == len(m.table) {
				return
			}
		}
	}
}

// slot is the next free one of the candidate's permutation.
func (c *candidate) slot(table []int32) uint64 {
	for {
		slot := (c.offset + c.skip*c.next) % uint64(len(table))
		c.next++
		if table[slot] == free {
			return slot
		}
	}
}

// Pick gives the host of a hash's slot.
func (m *Maglev) Pick(hash uint64) string {
	if len(m.table) == 0 {
		return ""
	}
	return m.keys[m.table[hash%uint64(len(m.table))]]
}

// Shares counts each host's slots.
func (m *Maglev) Shares() map[string]float64 {
	slots := make([]int, len(m.keys))
	for _, host := range m.table {
		slots[host]++
	}
	shares := map[string]float64{}
	for i, key := range m.keys {
		shares[key] += float64(slots[i]) / float64(max(1, len(m.table)))
	}
	return shares
}
