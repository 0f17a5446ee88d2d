package server

import (
	"crypto/sha256"

	"axon/xds/topology"
)

// Appservice is what Axon tells of one; the zero value stands for none. Group is empty where it has no workers of its own.
type Appservice struct{ ID, Group string }

// Appservices are those whose tokens are known, by their SHA-256.
type Appservices map[[sha256.Size]byte]Appservice

// AppservicesOf reads them out of a topology.
func AppservicesOf(t *topology.Topology) Appservices {
	all := Appservices{}
	for _, r := range t.Registrations {
		all[r.Token] = Appservice{ID: r.ID}
	}
	for _, a := range t.Appservices {
		all[a.Token] = Appservice{a.ID, a.Group}
	}
	return all
}

// SetAppservices replaces those that Check knows. It keeps none of which nothing is told: to look a token up costs each
// request a hash.
func (a *Authz) SetAppservices(all Appservices) {
	kept := Appservices{}
	for token, appservice := range all {
		if a.policy.Headers.Appservice != "" || appservice.Group != "" {
			kept[token] = appservice
		}
	}
	a.appservices.Store(&kept)
}

// appserviceOf is the appservice whose token it is.
func (a *Authz) appserviceOf(token string) Appservice {
	all := a.appservices.Load()
	if all == nil || len(*all) == 0 {
		return Appservice{}
	}
	return (*all)[sha256.Sum256([]byte(token))]
}
