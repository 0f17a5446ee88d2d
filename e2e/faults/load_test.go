package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"axon/demo/standin"
	"axon/e2e/faults/standin/ask"
)

// The load.
const (
	rate        = 200 // requests a second, besides the polls
	mostAtOnce  = 2000
	clientLimit = time.Minute // so that what is slow is not lost
	// spareConnections are more than the requests that are under way at one time while nothing is slow.
	spareConnections = 300
)

// pollFor is how long a poll is held. Each user has one at any time.
var pollFor = 6 * time.Second

// load sends requests at a rate, however slowly they are answered, and holds a poll for each user.
type load struct {
	s       *site
	client  *http.Client
	ids     atomic.Int64
	atOnce  chan struct{}
	skipped atomic.Int64 // because of mostAtOnce
	stop    context.CancelFunc
	running sync.WaitGroup
}

func newLoad(s *site) *load {
	return &load{s: s, atOnce: make(chan struct{}, mostAtOnce), client: &http.Client{
		Timeout:   clientLimit,
		Transport: &http.Transport{MaxIdleConnsPerHost: mostAtOnce, MaxIdleConns: 0, IdleConnTimeout: 30 * time.Second},
	}}
}

// run begins, and goes on until end.
func (l *load) run() {
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.running.Go(func() {
		draw := rand.New(rand.NewPCG(1, 2))
		for began, n := time.Now(), 0; ctx.Err() == nil; n++ {
			time.Sleep(time.Until(began.Add(time.Duration(n) * time.Second / rate))) // what comes late is made up for
			l.throw(anyKind(draw), l.anything(draw))
		}
	})
	for i, u := range l.s.users {
		l.running.Go(func() {
			time.Sleep(pollFor * time.Duration(i) / users) // they do not come all at once
			for ctx.Err() == nil {
				if !l.send(&poll, about{user: u.id, token: u.token(i)}, fmt.Sprintf("since=s1&timeout=%d", pollFor.Milliseconds())).ok() {
					time.Sleep(200 * time.Millisecond)
				}
			}
		})
	}
}

// end returns when everything is answered.
func (l *load) end() {
	l.stop()
	l.running.Wait()
	l.client.CloseIdleConnections()
}

// widen leaves as many connections idle as polls that are held at one time need.
func (l *load) widen(polls int) {
	var held sync.WaitGroup
	for i := range polls {
		u := l.s.users[i%users]
		held.Go(func() { l.send(&poll, about{user: u.id, token: u.token(i % users)}, "since=s1&timeout=1000") })
	}
	held.Wait()
}

// throw sends a request without waiting for it.
func (l *load) throw(k *kind, a about) {
	select {
	case l.atOnce <- struct{}{}:
	default:
		l.skipped.Add(1)
		return
	}
	l.running.Go(func() {
		l.send(k, a, "since=s1&timeout=0")
		<-l.atOnce
	})
}

func (l *load) anything(draw *rand.Rand) about {
	i := draw.IntN(users)
	return about{room: room(draw.IntN(rooms)), origin: origin(draw.IntN(origins)), user: l.s.users[i].id, token: l.s.users[i].token(i)}
}

// token is what the user's only busy device has: of Synapse's own form for one half of the users, opaque for the other.
func (u user) token(i int) string {
	if i%2 == 0 {
		return u.native
	}
	return u.opaque
}

func opaque(token string) bool { return !strings.HasPrefix(token, "syt_") }

// send sends a request and writes down what became of it.
func (l *load) send(k *kind, a about, query string) *record {
	a.id = fmt.Sprintf("r%d", l.ids.Add(1))
	r := &record{id: a.id, kind: k, about: a, began: time.Now()}
	l.s.ledger.begin(r)
	answered, err := l.ask(k, a, query)
	l.s.ledger.finish(r, answered, err)
	return r
}

func (l *load) ask(k *kind, a about, query string) (answered answer, err error) {
	url := "http://" + l.s.front + k.path(a) + "?" + query + "&" + ask.ID + "=" + a.id
	request, err := http.NewRequest(k.method, url, once{strings.NewReader(body(k))})
	if err != nil {
		return answered, err
	}
	request.ContentLength = int64(len(body(k)))
	request.Header.Set("Authorization", "Bearer "+a.token)
	if strings.HasPrefix(k.path(a), "/_matrix/federation/") {
		request.Header.Set("Authorization", fmt.Sprintf("X-Matrix origin=%q,key=\"ed25519:1\",sig=\"x\"", a.origin))
	}
	response, err := l.client.Do(request)
	if err != nil {
		return answered, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(string(text[:min(len(text), 200)]))
	}
	return answer{response.StatusCode, response.Header.Get(standin.WorkerHeader), response.Header.Get(standin.EchoUser) != ""}, err
}

func body(k *kind) string {
	if k.write {
		return "{}"
	}
	return ""
}

// once is a body that cannot be had again: Go's client sends what it can send again by itself, and would hide what was lost.
type once struct{ *strings.Reader }

func (once) Close() error { return nil }
