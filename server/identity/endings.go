package identity

import (
	"sync"
	"sync/atomic"
	"time"
)

// maxMarks bounds the endings that are remembered one by one, and so the memory for them to some 20 MiB.
const maxMarks = 1 << 17

// endings remembers which tokens and users had an end, for entries from before it. What it counts are not seconds but
// endings: entries carry the number of those that came before their lookup began, so that a lookup under way when a
// token ends is not remembered, whatever the clocks do.
type endings struct {
	// life is how long an entry can live, and so how long an ending matters.
	life time.Duration

	epoch, floor atomic.Uint64
	mu           sync.RWMutex
	// Tokens are marked by their keys, users by their IDs; no hash looks like a user ID but by a miracle.
	marks map[string]mark
}

type mark struct {
	epoch uint64
	at    time.Time
}

func newEndings(life time.Duration) *endings { return &endings{life: life, marks: map[string]mark{}} }

// now is what an entry has to carry whose lookup begins now.
func (e *endings) now() uint64 { return e.epoch.Load() }

// end voids what is remembered under a name.
func (e *endings) end(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.marks) >= maxMarks && !e.purge() {
		e.endAll()
	}
	e.marks[name] = mark{e.epoch.Add(1), time.Now()}
}

// purge drops the marks that outlived what they void, and says whether that made room.
func (e *endings) purge() bool {
	for name, m := range e.marks {
		if time.Since(m.at) > e.life {
			delete(e.marks, name)
		}
	}
	return len(e.marks) <= maxMarks/2
}

// all voids everything.
func (e *endings) all() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.endAll()
}

func (e *endings) endAll() {
	e.floor.Store(e.epoch.Add(1))
	clear(e.marks)
}

// void says whether an entry of a token is from before its end or its user's.
func (e *endings) void(of entry, token string) bool {
	if of.epoch == e.epoch.Load() { // nothing has ended since
		return false
	}
	e.mu.RLock() // before the floor is read: what raises it clears the marks
	defer e.mu.RUnlock()
	return of.epoch < e.floor.Load() || of.epoch < e.marks[token].epoch || of.epoch < e.marks[of.identity.UserID].epoch
}
