package identity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// introspected is the service's answer (RFC 7662, section 2.2, and its own device_id).
type introspected struct {
	Active    *bool  `json:"active"`
	Scope     string `json:"scope"`
	Username  string `json:"username"` // the localpart
	DeviceID  string `json:"device_id"`
	ExpiresIn *int64 `json:"expires_in"` // seconds; tokens without a refresh token have none
}

// maxExpiresIn is where a life time, in seconds, is as good as none.
const maxExpiresIn = 1 << 31

// The scopes, in their two spellings (MSC2967).
var (
	apiScopes    = []string{"urn:matrix:client:api:*", "urn:matrix:org.matrix.msc2967.client:api:*"}
	deviceScopes = []string{"urn:matrix:client:device:", "urn:matrix:org.matrix.msc2967.client:device:"}
)

// introspected reads the answer to a status of 200.
func (h *home) introspected(body []byte) (Identity, error) {
	var a introspected
	if len(body) > maxAnswer || json.Unmarshal(body, &a) != nil || a.Active == nil {
		return Identity{}, fmt.Errorf("%w: not the JSON of an introspection", ErrUnavailable)
	}
	scopes := strings.Fields(a.Scope)
	switch {
	case !*a.Active, a.ExpiresIn != nil && *a.ExpiresIn <= 0:
		return Identity{}, ErrTokenInactive
	case !slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(apiScopes, s) }), a.Username == "":
		return Identity{}, ErrNoAccess
	}
	userID, ok := h.userID(a.Username)
	if !ok {
		return Identity{}, fmt.Errorf("%w: no valid username in the answer, or the server's name is not known", ErrUnavailable)
	}
	return Identity{UserID: userID, DeviceID: a.device(scopes), Expires: a.expires()}, nil
}

// device is named apart for sessions of old logins, and is among the scopes of others. Synapse refuses two.
func (a introspected) device(scopes []string) string {
	if a.DeviceID != "" {
		return validDeviceID(a.DeviceID)
	}
	device := ""
	for _, scope := range scopes {
		for _, prefix := range deviceScopes {
			id, ok := strings.CutPrefix(scope, prefix)
			if ok && device != "" && device != id {
				return ""
			}
			if ok {
				device = id
			}
		}
	}
	return validDeviceID(device)
}

func (a introspected) expires() time.Time {
	if a.ExpiresIn == nil || *a.ExpiresIn > maxExpiresIn {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(*a.ExpiresIn) * time.Second)
}

// delegated says whether a token is of those that the authentication service makes or took over from Synapse: when it
// says that such a one is not active, nobody else knows it.
func delegated(token string) bool {
	return slices.ContainsFunc([]string{"mat_", "mct_", "mpt_", "mar_", "mcr_", "syt_"}, func(prefix string) bool {
		return strings.HasPrefix(token, prefix)
	})
}
