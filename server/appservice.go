package server

import (
	"crypto/sha256"

	"axon/xds/topology"
)

// Appservice is what Axon tells of one; the zero value stands for none.
type Appservice struct{ ID, Group string }

// Appservices are those that have workers of their own, by the SHA-256 of their tokens.
type Appservices map[[sha256.Size]byte]Appservice

// AppservicesOf reads them out of a topology.
func AppservicesOf(t *topology.Topology) Appservices {
	all := Appservices{}
	for _, a := range t.Appservices {
		all[a.Token] = Appservice{a.ID, a.Group}
	}
	return all
}

// SetAppservices replaces those that Check knows.
func (a *Authz) SetAppservices(all Appservices) { a.appservices.Store(&all) }

// appserviceOf is the appservice whose token it is.
func (a *Authz) appserviceOf(token string) Appservice {
	all := a.appservices.Load()
	if all == nil || len(*all) == 0 {
		return Appservice{}
	}
	return (*all)[sha256.Sum256([]byte(token))]
}
