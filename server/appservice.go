package server

import (
	"crypto/sha256"

	"axon/xds/topology"
)

// Appservices are the groups of appservices that have workers of their own, by the SHA-256 of their tokens.
type Appservices map[[sha256.Size]byte]string

// AppservicesOf reads them out of a topology.
func AppservicesOf(t *topology.Topology) Appservices {
	groups := Appservices{}
	for _, a := range t.Appservices {
		groups[a.Token] = a.Group
	}
	return groups
}

// SetAppservices replaces those that Check knows.
func (a *Authz) SetAppservices(groups Appservices) { a.groups.Store(&groups) }

// groupOf is the group of the appservice whose token it is, empty where it is none's.
func (a *Authz) groupOf(token string) string {
	groups := a.groups.Load()
	if groups == nil || len(*groups) == 0 {
		return ""
	}
	return (*groups)[sha256.Sum256([]byte(token))]
}
