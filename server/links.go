package server

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"

	"axon/server/identity"
)

// maxLinks bounds a generation of links; one takes about 150 bytes.
const maxLinks = 50_000

// links remember whose the refresh tokens are that were given, because the answers to refreshing do not say: each is good
// for once. They are no identities: nobody is let in by one, Synapse judges them. When a generation is full, the one
// before it goes.
type links struct {
	secret [sha256.Size]byte // makes the keys useless to whoever sees them
	mu     sync.Mutex
	young  map[[sha256.Size]byte]identity.Identity
	old    map[[sha256.Size]byte]identity.Identity
}

func newLinks() *links {
	l := &links{young: map[[sha256.Size]byte]identity.Identity{}}
	_, _ = rand.Read(l.secret[:]) // never fails
	return l
}

func (l *links) key(refreshToken string) [sha256.Size]byte {
	return sha256.Sum256(append(l.secret[:], refreshToken...))
}

// put remembers a refresh token; an empty one is none.
func (l *links) put(refreshToken string, id identity.Identity) {
	if refreshToken == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.young) >= maxLinks {
		l.old, l.young = l.young, map[[sha256.Size]byte]identity.Identity{}
	}
	l.young[l.key(refreshToken)] = id
}

// take gives whose a refresh token is, and forgets it.
func (l *links) take(refreshToken string) (id identity.Identity, ok bool) {
	key := l.key(refreshToken)
	l.mu.Lock()
	defer l.mu.Unlock()
	if id, ok = l.young[key]; !ok {
		id, ok = l.old[key]
	}
	delete(l.young, key)
	delete(l.old, key)
	return id, ok
}
