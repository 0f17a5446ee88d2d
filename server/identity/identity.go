// Package identity answers whose access token a request carries.
//
// The answer is a hint for routing, not a permission: Synapse alone decides who may do what. Whoami asks Synapse; Cache
// stands in front of it, so that most requests are answered from memory, and so that a slow or absent Synapse can delay
// no request longer than the time-out. Raw tokens are kept nowhere: not in the cache, the log, errors or metrics.
package identity

import (
	"context"
	"errors"
	"fmt"
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
}

// Resolver finds the user of a request. The error is one of the Err… below, wrapped with the name of who gave it, or
// the context's.
type Resolver interface {
	Resolve(ctx context.Context, r Request) (Identity, error)
}

var (
	// ErrNoToken says that the request carries none that Synapse would read.
	ErrNoToken = errors.New("no access token")
	// ErrUnknownToken says that Synapse knows no user for it. ErrUserLocked and ErrForbidden are special cases of it.
	ErrUnknownToken = errors.New("unknown access token")
	// ErrUserLocked is not for long: the same token works again as soon as an administrator unlocks the user.
	ErrUserLocked = fmt.Errorf("%w: user locked", ErrUnknownToken)
	// ErrForbidden says that an application service asked for a user outside of its namespace.
	ErrForbidden = fmt.Errorf("%w: not a user of this application service", ErrUnknownToken)
	// ErrUnavailable says that nobody could answer now. ErrBusy is a special case of it.
	ErrUnavailable = errors.New("no answer")
	// ErrBusy says that so many lookups are under way (max_in_flight) that this one was not begun.
	ErrBusy = fmt.Errorf("%w: too many lookups under way", ErrUnavailable)
)
