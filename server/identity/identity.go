// Package identity answers whose access token a request carries.
//
// The answer is a hint for routing, not a permission: Synapse alone decides who may do what. Resolvers find the user: by
// whoami of any Synapse process, by the Matrix Authentication Service's introspection, or in the token itself; they are
// asked in the order of the configuration, each with retries and a circuit breaker of its own. Cache stands in front of
// them, so that most requests are answered from memory, and so that a slow or absent Synapse can delay no request longer
// than the time-out, and none at all once the breakers know. Several Axons can share what they know through a Redis. Raw
// tokens are kept nowhere: not in the cache, the log, errors or metrics.
//
// New makes all of it from the configuration.
package identity

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Request is what is known of a client's request.
type Request struct {
	// Token is the access token; empty for none.
	Token string
	// UserID is the query parameter user_id, by which an application service says as whom it acts. Synapse ignores it
	// for the tokens of users.
	UserID string
	// ForwardedFor is the client's IP address and UserAgent its User-Agent, which Synapse records beside each token.
	ForwardedFor string
	UserAgent    string
}

// Identity is whose token it is.
type Identity struct {
	UserID   string // the full Matrix user ID, always valid as the value of a header
	DeviceID string // empty for application services
	Guest    bool
	// Unverified says that the token itself is the only witness: anybody could have made it up. It is good for routing.
	Unverified bool
	// Expires is when the token ends, as far as the resolver knows; zero for never or unknown. What is remembered ends
	// then, and comes without it.
	Expires time.Time
}

// Resolver finds the user of a request. The error is one of the Err… below, wrapped with the name of who gave it, or
// the context's.
type Resolver interface {
	Resolve(ctx context.Context, r Request) (Identity, error)
}

// Beside these, the errors of Resolve are the refusals.
var (
	// ErrUnavailable says that nobody could answer now. ErrBusy is a special case of it.
	ErrUnavailable = errors.New("no answer")
	// ErrBusy says that so many lookups are under way (max_in_flight) that this one was not begun.
	ErrBusy = fmt.Errorf("%w: too many lookups under way", ErrUnavailable)
	// errFault: a server's own (HTTP status 5xx). It may be well in a moment.
	errFault = fmt.Errorf("%w: a fault of the server", ErrUnavailable)
	// errElsewhere: it is not for this resolver to say, another may know.
	errElsewhere = errors.New("not this resolver's token")
)
