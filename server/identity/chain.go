package identity

import (
	"context"
	"errors"
	"fmt"
)

// chain is a Resolver that asks others in turn, until one knows the token or knows that it is none.
type chain struct {
	links []Resolver
	home  *home
	// verify says that Verify is wanted.
	verify bool
}

// Resolve may give the unverified word of the token itself; Verify does not.
func (c chain) Resolve(ctx context.Context, r Request) (Identity, error) {
	return c.from(ctx, r, c.links)
}

// Verify asks those that come after the one that gave an unverified answer.
func (c chain) Verify(ctx context.Context, r Request) (Identity, error) {
	for i, link := range c.links {
		if _, ok := link.(native); ok {
			return c.from(ctx, r, c.links[i+1:])
		}
	}
	return c.from(ctx, r, c.links)
}

func (c chain) from(ctx context.Context, r Request, links []Resolver) (Identity, error) {
	err := fmt.Errorf("identity: %w: no resolver is left to ask", ErrUnavailable)
	for _, link := range links {
		var id Identity
		if id, err = link.Resolve(ctx, r); err == nil && !c.home.has(id.UserID) {
			err = fmt.Errorf("identity: %w: the user of another server", ErrUnavailable)
		}
		if err == nil {
			return id, nil
		}
		if another := errors.Is(err, ErrUnavailable) || errors.Is(err, errElsewhere); !another || ctx.Err() != nil {
			break
		}
	}
	return Identity{}, err
}

// verifies says whether Verify is wanted and has anybody to ask.
func (c chain) verifies() bool {
	for i, link := range c.links {
		if _, ok := link.(native); ok {
			return c.verify && i+1 < len(c.links)
		}
	}
	return false
}
