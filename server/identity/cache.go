package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"
)

const (
	// negativeMiB is all that made-up tokens can fill; they have a store of their own, so that they push nobody out.
	negativeMiB = 1
	// lockedTTL is short because an unlocked user, or a renewed account, goes on with the same token.
	lockedTTL = time.Second
	// keySize of 128 bits is what no two of all tokens share; each byte counts ten million times.
	keySize = 16
)

// Cache is a Resolver that remembers another's answers, asks once however many requests wait for one token, and bounds
// how long and how often it asks.
type Cache struct {
	next   Resolver
	config Config
	home   *home
	// secret makes the keys of the stores useless to whoever sees the memory of one without the other.
	secret   [sha256.Size]byte
	positive store
	negative store
	endings  *endings
	shared   *shared // nil where there is none
	flights  singleflight.Group
	slots    chan struct{}
	counts   counts
}

// verifier is a Resolver that can also leave out what tokens say of themselves.
type verifier interface {
	Verify(ctx context.Context, r Request) (Identity, error)
	verifies() bool
}

// NewCache puts a cache before next and registers its metrics (reg may be nil). The configuration must be valid. Close
// it when done.
func NewCache(c Config, next Resolver, reg prometheus.Registerer) (*Cache, error) {
	positive, err := newStore(c.Cache.SizeMiB, c.life(), nil)
	if err != nil {
		return nil, fmt.Errorf("identity cache: %w", err)
	}
	negative, err := newStore(negativeMiB, c.Cache.NegativeTTL, nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("identity cache: %w", err), positive.Close())
	}
	cache := &Cache{
		next: next, config: c, positive: positive, negative: negative,
		endings: newEndings(c.life()), slots: make(chan struct{}, c.MaxInFlight),
	}
	_, _ = rand.Read(cache.secret[:]) // never fails
	cache.register(reg)
	return cache, nil
}

// Close ends the cleaning of the stores. Answers under way still arrive.
func (c *Cache) Close() error { return errors.Join(c.positive.Close(), c.negative.Close()) }

// Resolve gives the remembered answer, or waits for that of the one lookup of this token. When ctx ends first, the
// lookup goes on for the others.
func (c *Cache) Resolve(ctx context.Context, r Request) (Identity, error) {
	if r.Token == "" {
		return Identity{}, ErrNoToken
	}
	if e, ok := c.remembered(r); ok {
		return c.counts.answer(e)
	}
	c.counts.misses.Add(1)
	answer := c.flights.DoChan(c.key(r.Token, r.UserID), func() (any, error) {
		return c.lookup(context.WithoutCancel(ctx), r)
	})
	select {
	case a := <-answer:
		return a.Val.(Identity), a.Err
	case <-ctx.Done():
		return Identity{}, gaveUp(ctx.Err())
	}
}

// gaveUp tells a caller whose time was over, because there was no answer, from one who left.
func gaveUp(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("identity: %w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("identity: %w", err)
}

// lookup asks the next resolver, and has what it only read in the token verified.
func (c *Cache) lookup(ctx context.Context, r Request) (Identity, error) {
	// Another flight may have landed between this caller's look into the cache and its own take-off.
	if e, ok := c.remembered(r); ok {
		return e.answer()
	}
	id, err := c.ask(ctx, r, c.next.Resolve)
	if err == nil && id.Unverified {
		c.counts.hints.Add(1)
		c.verify(ctx, r)
	}
	return id, err
}

// verify asks in the background. Whoever waits for the answer under the same key gets it, too.
func (c *Cache) verify(ctx context.Context, r Request) {
	if next, ok := c.next.(verifier); ok && next.verifies() {
		c.flights.DoChan("verify "+c.key(r.Token, r.UserID), func() (any, error) { return c.ask(ctx, r, next.Verify) })
	}
}

// ask asks the other Axons' memory, and then a resolver. It contains panics: singleflight would end the process.
func (c *Cache) ask(ctx context.Context, r Request, resolve func(context.Context, Request) (Identity, error)) (id Identity, err error) {
	select {
	case c.slots <- struct{}{}:
	default:
		c.counts.dropped.Add(1)
		return Identity{}, fmt.Errorf("identity: %w", ErrBusy)
	}
	defer func() { <-c.slots }()
	defer func() {
		if p := recover(); p != nil {
			c.counts.panics.Add(1)
			id, err = Identity{}, fmt.Errorf("identity: %w: panic: %v", ErrUnavailable, p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	epoch := c.endings.now()
	known, moment := c.shared.get(ctx, r)
	if known.ok && c.home.has(known.entry.identity.UserID) {
		known.entry.epoch = epoch
		_ = c.positive.put(c.entryKey(known.entry, r), known.entry, time.Until(known.end))
		return known.entry.answer()
	}
	id, err = resolve(ctx, r)
	if id.Unverified {
		return id, err
	}
	c.remember(r, id, err, epoch, moment)
	id.Expires = time.Time{}
	return id, err
}

// remembered looks a token up. What is stored without user_id holds for every user_id if Synapse was seen to ignore it.
func (c *Cache) remembered(r Request) (entry, bool) {
	token := c.key(r.Token, "")
	key := token
	e, ok := c.positive.get(key)
	if ok = ok && !c.endings.void(e, token); ok && (r.UserID == "" || e.verdict == always) {
		return e, true
	}
	if r.UserID != "" {
		key = c.key(r.Token, r.UserID)
		if e, ok = c.positive.get(key); ok && !c.endings.void(e, token) {
			return e, true
		}
	}
	return c.negative.get(key)
}

// key is a keyed hash of token and user_id. Neither can hold the NUL between them; the hash is never shown to anybody, so
// that a prefix is as good as an HMAC.
func (c *Cache) key(token, userID string) string {
	b := append(make([]byte, 0, 512), c.secret[:]...)
	b = append(append(append(b, token...), 0), userID...)
	sum := sha256.Sum256(b)
	return string(sum[:keySize])
}
