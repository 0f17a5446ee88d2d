package identity

import (
	"strings"
	"sync/atomic"
)

// home is the homeserver's name, to tell its users from others: no token here is a stranger's, whoever says so.
type home struct{ name atomic.Pointer[string] }

// set names the homeserver; empty means that its name is not known.
func (h *home) set(name string) { h.name.Store(&name) }

// server is empty while the name is not known.
func (h *home) server() string {
	if h == nil {
		return ""
	}
	if name := h.name.Load(); name != nil {
		return *name
	}
	return ""
}

// has says whether a valid user ID is one of the homeserver's. Without its name all may be.
func (h *home) has(userID string) bool {
	server := h.server()
	_, of, _ := strings.Cut(userID, ":")
	return server == "" || of == server
}

// userID gives the full user ID of a localpart, if that can be one.
func (h *home) userID(localpart string) (userID string, ok bool) {
	server := h.server()
	userID = "@" + localpart + ":" + server
	return userID, server != "" && validUserID(userID) && h.has(userID)
}
