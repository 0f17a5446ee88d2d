package identity

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkCached is a token that is remembered, among others.
func BenchmarkCached(b *testing.B) {
	c := newBenchCache(b, 64)
	fill(c, 100_000)
	tests := map[string]Request{
		"user":                {Token: tokenOf(42)},
		"user with a user_id": {Token: tokenOf(42), UserID: "@other:example.org"},
	}
	for name, r := range tests {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if id, err := c.Resolve(b.Context(), r); id.UserID == "" || err != nil {
					b.Fatal(id, err)
				}
			}
		})
	}
	c.ForgetUser("@somebody:example.org") // from now on, marks are looked at, too
	r := tests["user"]
	b.Run("user after an ending", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = c.Resolve(b.Context(), r)
		}
	})
	b.Run("from all processors", func(b *testing.B) {
		var next atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = c.Resolve(b.Context(), Request{Token: tokenOf(int(next.Add(1) % 100_000))})
			}
		})
	})
}

// BenchmarkTenMillion fills the cache with ten million tokens, collects garbage while they are read, and says what each
// of them costs and how long the collector stopped everything. The pauses with next to no entries are the machine's own:
// a busy one does not run at once what has to stop.
func BenchmarkTenMillion(b *testing.B) {
	const few, n, limit = 1000, 10_000_000, 1536 << 20
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(memoryLimit(1024)))
	before := heap()
	c := newBenchCache(b, 1024)
	fill(c, few)
	medianFew, longestFew := pausesDuring(func() {
		for i := range 1_000_000 {
			read(b, c, i%few)
		}
	})
	fill(c, n)
	used := heap() - before
	median, longest := pausesDuring(func() {
		for i := 0; b.Loop(); i++ {
			read(b, c, i*7_919%n)
		}
	})
	b.ReportMetric(medianFew, "ms-p50-GC-pause-with-1000")
	b.ReportMetric(longestFew, "ms-max-GC-pause-with-1000")
	b.ReportMetric(median, "ms-p50-GC-pause")
	b.ReportMetric(longest, "ms-max-GC-pause")
	b.ReportMetric(float64(c.positive.Len()), "entries")
	b.ReportMetric(float64(used)/n, "B/entry")
	b.ReportMetric(float64(used)/(1<<20), "MiB")
	b.ReportMetric(float64(peak(b))/(1<<20), "MiB-peak-RSS")
	if used > limit || peak(b) > limit || c.positive.Len() != n {
		b.Errorf("%d entries in %d bytes, %d of the process", c.positive.Len(), used, peak(b))
	}
}

func read(b *testing.B, c *Cache, i int) {
	b.Helper()
	if id, err := c.Resolve(b.Context(), Request{Token: tokenOf(i)}); id.UserID == "" || err != nil {
		b.Fatal(i, id, err)
	}
}

func newBenchCache(b *testing.B, sizeMiB int) *Cache {
	b.Helper()
	config := DefaultConfig()
	config.Cache.SizeMiB = sizeMiB
	c, err := NewCache(config, answers(Identity{}, ErrUnknownToken, 0), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c
}

func tokenOf(i int) string { return "syt_dXNlcg_" + strconv.Itoa(i) + "GsCLgTkhcdrjqAfMBNSU_2gzmXv" }

func fill(c *Cache, n int) {
	for i := range n {
		id := Identity{UserID: fmt.Sprintf("@user%d:example.org", i/2), DeviceID: "ABCDEFGHIJ"}
		c.keep(Request{Token: tokenOf(i)}, entry{verdict: always, identity: id}, never)
	}
}

// heap is what is alive on it, in bytes.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak is the most memory that the process ever had, in bytes.
func peak(b *testing.B) int {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	m := highWater.FindSubmatch(status)
	if err != nil || m == nil {
		b.Fatal("no VmHWM in /proc/self/status", err)
	}
	kib, _ := strconv.Atoi(string(m[1]))
	return kib << 10
}

// pauses are how often the collector stopped everything for how long.
func pauses() *metrics.Float64Histogram {
	sample := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(sample)
	return sample[0].Value.Float64Histogram()
}

// pausesDuring collects garbage while work works, and gives upper bounds of the median and of the longest pause, in
// milliseconds.
func pausesDuring(work func()) (median, longest float64) {
	before := slices.Clone(pauses().Counts)
	done, collected := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(collected)
		for {
			runtime.GC()
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	work()
	close(done)
	<-collected
	after := pauses()
	var bounds []float64
	for i, n := range after.Counts {
		bounds = append(bounds, slices.Repeat([]float64{after.Buckets[i+1] * 1e3}, int(n-before[i]))...)
	}
	return bounds[len(bounds)/2], bounds[len(bounds)-1]
}

// BenchmarkShared is a token that another Axon found, on a Redis beside.
func BenchmarkShared(b *testing.B) {
	redis := startRedis(b)
	first := newReplica(b, "unix:"+redis.socket, answers(alice, nil, 0))
	_, _ = first.Resolve(b.Context(), Request{Token: "t"})
	settle(first)
	second := newReplica(b, "unix:"+redis.socket, answers(Identity{}, ErrUnavailable, 0))
	b.ReportAllocs()
	for b.Loop() {
		if answer, _ := second.shared.get(b.Context(), Request{Token: "t"}); !answer.ok {
			b.Fatal("not found")
		}
	}
}
