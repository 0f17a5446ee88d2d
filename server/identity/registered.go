package identity

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync/atomic"

	"axon/xds/topology"
)

// registered is a Resolver of the tokens in the registrations of appservices, which asks nobody: Synapse reads the same
// files, and looks there before anywhere else (get_appservice_user, api/auth/base.py). What no file can say is whether
// the user of a namespace exists, so that it does not do where users are enforced.
type registered struct {
	home  *home
	known atomic.Pointer[map[[sha256.Size]byte]topology.Registration]
}

// set replaces the registrations.
func (g *registered) set(all []topology.Registration) {
	known := make(map[[sha256.Size]byte]topology.Registration, len(all))
	for _, r := range all {
		known[r.Token] = r
	}
	g.known.Store(&known)
}

// Resolve fails for all other tokens, and where only Synapse can tell.
func (g *registered) Resolve(_ context.Context, r Request) (Identity, error) {
	elsewhere := fmt.Errorf("registrations: %w: %w", ErrUnavailable, errElsewhere)
	known := g.known.Load()
	if known == nil || len(*known) == 0 {
		return Identity{}, elsewhere
	}
	appservice, ok := (*known)[sha256.Sum256([]byte(r.Token))]
	if !ok {
		return Identity{}, elsewhere
	}
	userID := r.UserID
	if userID == "" {
		userID = appservice.Sender
	}
	allowed, decided := appservice.May(r.UserID)
	switch {
	case !decided || !validUserID(userID):
		return Identity{}, elsewhere
	case !allowed || !g.home.has(userID):
		return Identity{}, fmt.Errorf("registrations: %w", ErrForbidden)
	}
	return Identity{UserID: userID}, nil
}
