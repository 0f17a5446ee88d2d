package identity

import (
	"context"
	"io"
	"log"
	"math/bits"
	"time"

	"github.com/allegro/bigcache/v3"
)

// store is a bigcache whose entries carry their own end: bigcache itself counts in seconds and hands out entries whose
// time is over until it next cleans up. When it is full, the oldest entries go.
//
// bigcache finds entries by a 64-bit hash of the key, but also compares the whole key, so that two keys of one hash
// cost a miss, not a wrong answer.
type store struct{ *bigcache.BigCache }

func newStore(sizeMiB int, life time.Duration, hasher bigcache.Hasher) (store, error) {
	// Not the caller's context: bigcache prints to standard output when it ends. Close ends the cleaning.
	cache, err := bigcache.New(context.Background(), bigcache.Config{
		Shards:             shardsFor(sizeMiB),
		LifeWindow:         max(life, time.Second),
		CleanWindow:        min(max(life, time.Second), time.Minute),
		MaxEntrySize:       128,
		HardMaxCacheSize:   sizeMiB,
		MaxEntriesInWindow: 0, // memory grows with use
		Hasher:             hasher,
		Logger:             log.New(io.Discard, "", 0),
	})
	return store{cache}, err
}

// shardsFor keeps shards at about 1 MiB: they grow by copying all that they hold, and meanwhile nobody can read them.
func shardsFor(sizeMiB int) int {
	return min(max(16, 1<<bits.Len(uint(sizeMiB-1))), 1024)
}

func (s store) put(key string, e entry, life time.Duration) error {
	b, err := e.encode(time.Now().Add(life))
	if err != nil {
		return err
	}
	return s.Set(key, b)
}

func (s store) get(key string) (entry, bool) {
	b, err := s.Get(key)
	if err != nil {
		return entry{}, false
	}
	e, _, ok := decode(b)
	return e, ok
}
