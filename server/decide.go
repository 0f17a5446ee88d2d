package server

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"axon/server/identity"
)

// question is a request as a proxy describes it, in either protocol.
type question struct {
	method, target string // target is the raw path and query
	identity.Request
}

// ask makes the question. last is the connection's address, for where no proxy has forwarded one.
func ask(method, target string, authorization identity.Header, agent, forwarded, last string) question {
	q := question{method: method, target: target}
	q.Token, q.UserID = identity.FromRequest(authorization, target)
	q.UserAgent, q.ForwardedFor = agent, client(forwarded, last)
	return q
}

// decision is what becomes of a request: it is refused, or goes on with what it is told.
type decision struct {
	denied  *denial
	told    told
	nothing bool // nothing is known of it
}

// decide finds the user. It contains panics: a fault in Axon costs a request its identity, not more, unless the policy
// enforces that.
func (a *Authz) decide(ctx context.Context, q question) (d decision) {
	start := time.Now()
	outcome := "panic"
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("a fault in Axon: the user behind a request was not found", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			d = a.decided(q, identity.Identity{}, errPanic)
		}
		a.checks[outcome].Inc()
		a.duration.Observe(time.Since(start).Seconds())
	}()
	id, err := a.resolve(ctx, q.Request)
	if errors.Is(err, identity.ErrUnavailable) {
		a.failures.note(err)
	}
	d = a.decided(q, id, err)
	outcome = outcomeOf(err)
	return d
}

var errPanic = fmt.Errorf("%w: a fault in Axon", identity.ErrUnavailable)

func (a *Authz) resolve(ctx context.Context, r identity.Request) (identity.Identity, error) {
	if r.Token == "" {
		return identity.Identity{}, identity.ErrNoToken
	}
	return a.resolver.Resolve(ctx, r)
}

// decided is what a resolver's answer means for a request.
func (a *Authz) decided(q question, id identity.Identity, err error) decision {
	if r := a.denial(q, err); r != nil {
		a.refused.WithLabelValues(r.errcode).Inc()
		return decision{denied: r}
	}
	appservice := Appservice{}
	if q.Token != "" {
		appservice = a.appserviceOf(q.Token)
	}
	return decision{told: a.telling.tell(id, appservice), nothing: err != nil && appservice == Appservice{}}
}

// denial is nil for requests that go on.
func (a *Authz) denial(q question, err error) *denial {
	if err == nil || !a.policy.Enforce || !a.needsUser(q.method, q.target) {
		return nil
	}
	r := denialFor(err)
	if r == unavailable && a.policy.FailOpen {
		return nil
	}
	return r
}
