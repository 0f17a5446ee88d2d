package identity

import (
	"errors"
	"fmt"
	"time"
)

// entryKey is where an entry belongs: one that holds for every user_id stands without.
func (c *Cache) entryKey(e entry, r Request) string {
	if e.verdict == always {
		return c.key(r.Token, "")
	}
	return c.key(r.Token, r.UserID)
}

// remember stores an answer; that there was none is not one. A full store only costs another lookup.
func (c *Cache) remember(r Request, id Identity, err error, epoch uint64, moment moment) {
	if err != nil {
		if verdict, ok := refusalOf(err); ok {
			_ = c.negative.put(c.key(r.Token, r.UserID), entry{verdict: verdict}, c.negativeLife(verdict))
		}
		return
	}
	e := entry{verdict: found, identity: id, epoch: epoch}
	if r.UserID != "" && id.UserID != r.UserID {
		e.verdict = always
	}
	c.keep(r, e, moment)
}

// keep stores a user here and for other Axons, no longer than the token lives.
func (c *Cache) keep(r Request, e entry, moment moment) {
	life := c.config.life()
	if end := e.identity.Expires; !end.IsZero() {
		life = min(life, time.Until(end))
	}
	if life <= 0 {
		return
	}
	_ = c.positive.put(c.entryKey(e, r), e, life)
	c.shared.put(r, e, life, moment)
}

// Learn remembers what somebody trustworthy says, such as Synapse in the answer to a login: that a token is id's, until
// it expires (zero: no end is known). What could not be a token, a user, or one of this homeserver's users is ignored.
func (c *Cache) Learn(token string, id Identity, expires time.Time) {
	if !validToken(token) || !validUserID(id.UserID) || !c.home.has(id.UserID) || id.Unverified {
		return
	}
	id.DeviceID, id.Expires = validDeviceID(id.DeviceID), expires
	c.counts.learned.Add(1)
	// Synapse ignores user_id with the tokens of users, and logins give no others.
	c.keep(Request{Token: token}, entry{always, id, c.endings.now()}, latest)
}

// Forget has a token looked up anew by the next request that carries it.
func (c *Cache) Forget(token string) {
	key := c.key(token, "")
	c.endings.end(key)
	_ = c.positive.Delete(key)
	c.counts.forgotten.Add(1)
	c.shared.end(sharedToken, token)
}

// ForgetUser has all tokens of a user that are known now looked up anew.
func (c *Cache) ForgetUser(userID string) {
	c.endings.end(userID)
	c.counts.forgottenUsers.Add(1)
	c.shared.end(sharedUser, userID)
}

// Flush forgets everything. Other Axons are left alone, and so is what is shared with them, unless users are enforced:
// else whenever one begins to listen for endings, it would make the others ask for everything again, for no harm that an
// old pair could do.
func (c *Cache) Flush() {
	c.endings.all()
	_, _ = c.positive.Reset(), c.negative.Reset()
	c.counts.flushes.Add(1)
	if c.config.Enforce {
		c.shared.end(sharedAll, "")
	}
}

// refused are the refusals that are remembered, by what stands for them.
var refused = [...]error{
	locked:         ErrUserLocked,
	accountExpired: ErrAccountExpired,
	forbidden:      ErrForbidden,
	expired:        ErrTokenExpired,
	inactive:       ErrTokenInactive,
	noAccess:       ErrNoAccess,
	unknown:        ErrUnknownToken,
}

// refusedAnswers are made once: they are given very often.
var refusedAnswers = func() (all [len(refused)]error) {
	for v := locked; v <= unknown; v++ {
		all[v] = fmt.Errorf("cache: %w", refused[v])
	}
	return all
}()

func (e entry) answer() (Identity, error) { return e.identity, refusedAnswers[e.verdict] }

func refusalOf(err error) (verdict, bool) {
	for v := locked; v <= unknown; v++ {
		if errors.Is(err, refused[v]) {
			return v, true
		}
	}
	return 0, false
}

func (c *Cache) negativeLife(v verdict) time.Duration {
	if v == locked || v == accountExpired {
		return min(lockedTTL, c.config.Cache.NegativeTTL)
	}
	return c.config.Cache.NegativeTTL
}
