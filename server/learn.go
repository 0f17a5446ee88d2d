package server

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"axon/server/identity"
)

// Learner remembers what passes by; identity.Cache is one.
type Learner interface {
	// Learn remembers whose a token is, until expires where that is not zero. It ignores what can't be true.
	Learn(token string, id identity.Identity, expires time.Time)
}

const (
	// maxGrant bounds what is read of a body, in bytes. An answer to a login has about 300, with a discovery document a thousand.
	maxGrant = 64 << 10
	// maxLife bounds what an answer can claim; the learner has a bound of its own, which is far less.
	maxLife = 365 * 24 * time.Hour
	// guestDevice is the device of every guest (synapse/types, GUEST_DEVICE_ID).
	guestDevice = "guest_device"
)

// grant is what the answers to login, register and refresh have in common (client-server API). Those to refresh have no
// user: it is that of the refresh token, which was seen when it was given.
type grant struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	UserID       string `json:"user_id"`
	DeviceID     string `json:"device_id"`
	ExpiresInMS  *int64 `json:"expires_in_ms"`
}

// learning reads tokens and their users out of bodies that pass by. It changes and keeps nothing of them.
type learning struct {
	learner Learner
	links   *links
	bodies  map[string]prometheus.Counter
}

func newLearning(o Options) *learning {
	bodies := promauto.With(o.Registerer).NewCounterVec(prometheus.CounterOpts{
		Name: "axon_learned_total", Help: "Answers to logins that passed by, by whether they told whose a token is: learned or nothing.",
	}, []string{"result"})
	l := &learning{learner: o.Learner, links: newLinks(), bodies: map[string]prometheus.Counter{}}
	for _, result := range []string{"learned", "nothing"} {
		l.bodies[result] = bodies.WithLabelValues(result)
	}
	return l
}

// asked looks at the body of a request to refresh.
func (l *learning) asked(body []byte, e *exchange) {
	if g, ok := read(body); ok && l.learner != nil {
		e.refreshToken = g.RefreshToken
	}
}

// answered looks at the body of an answer.
func (l *learning) answered(body []byte, e *exchange) {
	result := "nothing"
	if l.learner != nil && l.learn(body, e) {
		result = "learned"
	}
	l.bodies[result].Inc()
}

func (l *learning) learn(body []byte, e *exchange) bool {
	g, ok := read(body)
	if !ok || g.AccessToken == "" {
		return false
	}
	id := identity.Identity{UserID: g.UserID, DeviceID: g.DeviceID, Guest: g.DeviceID == guestDevice}
	if g.UserID == "" {
		id, ok = l.links.take(e.refreshToken)
	}
	expires, alive := g.expires(time.Now())
	if !ok || !alive {
		return false
	}
	l.learner.Learn(g.AccessToken, id, expires)
	l.links.put(g.RefreshToken, id)
	return true
}

// expires is the end of the access token, zero where it has none; it is not alive where the answer makes no sense.
func (g grant) expires(now time.Time) (end time.Time, alive bool) {
	if g.ExpiresInMS == nil {
		return time.Time{}, true
	}
	ms := min(*g.ExpiresInMS, maxLife.Milliseconds())
	return now.Add(time.Duration(ms) * time.Millisecond), ms > 0
}

// read reads a body, which Synapse may have compressed.
func read(body []byte) (g grant, ok bool) {
	if len(body) > maxGrant {
		return g, false
	}
	if bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		unpacked, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return g, false
		}
		if body, err = io.ReadAll(io.LimitReader(unpacked, maxGrant)); err != nil {
			return g, false
		}
	}
	err := json.Unmarshal(body, &g)
	return g, err == nil
}
