package identity

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"time"

	"github.com/allegro/bigcache/v3"
)

// store is a bigcache whose entries carry their own end: bigcache itself counts in seconds and hands out entries whose
// time is over until it next cleans up. When it is full, the oldest entries go.
//
// bigcache finds entries by a 64-bit hash of the key, but also compares the whole key, so that two keys of one hash
// cost a miss, not a wrong answer.
type store struct{ *bigcache.BigCache }

func newStore(sizeMiB, shards int, life time.Duration, hasher bigcache.Hasher) (store, error) {
	// Not the caller's context: bigcache prints to standard output when it ends. Close ends the cleaning.
	cache, err := bigcache.New(context.Background(), bigcache.Config{
		Shards:             shards,
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

// verdict says what an entry means.
type verdict byte

const (
	found  verdict = iota // the user, for the very user_id asked for
	always                // the user, whatever user_id is asked for
	unknown
	locked
	forbidden
)

// entry is what is remembered of a token.
type entry struct {
	verdict
	identity Identity
}

const (
	guest      = 1 << 7
	headerSize = 10 // end in milliseconds (8), verdict and guest (1), length of the user ID (1)
)

func (s store) put(key string, e entry, life time.Duration) error {
	b := make([]byte, headerSize, headerSize+len(e.identity.UserID)+len(e.identity.DeviceID))
	binary.BigEndian.PutUint64(b, uint64(time.Now().Add(life).UnixMilli()))
	b[8] = byte(e.verdict)
	if e.identity.Guest {
		b[8] |= guest
	}
	if len(e.identity.UserID) > maxUserID {
		return errors.New("user ID too long")
	}
	b[9] = byte(len(e.identity.UserID))
	b = append(b, e.identity.UserID...)
	return s.Set(key, append(b, e.identity.DeviceID...))
}

func (s store) get(key string) (entry, bool) {
	b, err := s.Get(key)
	if err != nil || len(b) < headerSize || time.Now().UnixMilli() >= int64(binary.BigEndian.Uint64(b)) {
		return entry{}, false
	}
	text := string(b[headerSize:])
	return entry{verdict(b[8] &^ guest), Identity{text[:b[9]], text[b[9]:], b[8]&guest != 0}}, true
}
