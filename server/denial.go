package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"axon/server/identity"
)

// denial is an answer in Synapse's words (client-server API, "Standard error response").
type denial struct {
	status  int
	errcode string
	headers []header
	body    string
}

// retryAfter is in seconds: about when a circuit breaker tries again.
const retryAfter = "5"

// commonHeaders are those of every refusal. The last four are Synapse's (http/server.py, set_cors_headers): without them a
// web client cannot read that it is logged out.
var commonHeaders = []header{
	{"content-type", "application/json"},
	{"cache-control", "no-cache, no-store, must-revalidate"},
	{"access-control-allow-origin", "*"},
	{"access-control-allow-methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS"},
	{"access-control-allow-headers", "X-Requested-With, Content-Type, Authorization, Date"},
	{"access-control-expose-headers", "Synapse-Trace-Id, Server"},
}

// matrixError is the body.
type matrixError struct {
	ErrCode    string `json:"errcode"`
	Error      string `json:"error"`
	SoftLogout *bool  `json:"soft_logout,omitempty"`
}

func newDenial(status int, e matrixError, more ...header) *denial {
	body, _ := json.Marshal(e) // strings and a bool
	return &denial{status, e.ErrCode, append(more, commonHeaders...), string(body)}
}

// unavailable is Synapse's own answer when it cannot reach the authentication service, with a time to come back.
var unavailable = newDenial(http.StatusServiceUnavailable,
	matrixError{"M_UNKNOWN", "Unable to find out whose access token this is", nil}, header{"retry-after", retryAfter})

// softLogouts are the errors with which Synapse says whether the client may keep what it has.
var softLogouts = []string{"M_UNKNOWN_TOKEN", "M_USER_LOCKED"}

// denialFor is the answer for a resolver's error.
func denialFor(err error) *denial {
	var refusal *identity.Refusal
	if !errors.As(err, &refusal) {
		return unavailable
	}
	e := matrixError{refusal.ErrCode, refusal.Message, nil}
	if slices.Contains(softLogouts, refusal.ErrCode) {
		e.SoftLogout = &refusal.SoftLogout
	}
	return newDenial(refusal.Status, e)
}
