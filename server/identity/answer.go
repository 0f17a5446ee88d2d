package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// answer is whoami's, or a Matrix error.
type answer struct {
	UserID     string `json:"user_id"`
	DeviceID   string `json:"device_id"`
	Guest      bool   `json:"is_guest"`
	ErrCode    string `json:"errcode"`
	SoftLogout bool   `json:"soft_logout"`
}

// refusals are what Synapse says of a token that it will not take. Anything else that is not 200 comes from a Synapse that
// cannot say, or from something else at that address: it is no answer, and not remembered.
var refusals = map[int]map[string]error{
	http.StatusUnauthorized: {
		"M_UNKNOWN_TOKEN": ErrUnknownToken,
		"M_MISSING_TOKEN": ErrUnknownToken,
		"M_USER_LOCKED":   ErrUserLocked,
	},
	http.StatusForbidden: {
		"M_FORBIDDEN":                ErrForbidden,
		"ORG_MATRIX_EXPIRED_ACCOUNT": ErrAccountExpired,
	},
}

// parse reads whoami's answer.
func parse(status int, body []byte) (Identity, error) {
	var a answer
	malformed := len(body) > maxAnswer || json.Unmarshal(body, &a) != nil
	if err := refusals[status][a.ErrCode]; err != nil && !malformed {
		if a.ErrCode == "M_UNKNOWN_TOKEN" && a.SoftLogout {
			err = ErrTokenExpired
		}
		return Identity{}, err
	}
	switch {
	case status != http.StatusOK:
		return Identity{}, statusFault(status)
	case malformed:
		return Identity{}, fmt.Errorf("%w: not the JSON of whoami", ErrUnavailable)
	case !validUserID(a.UserID):
		return Identity{}, fmt.Errorf("%w: no valid user_id in the answer", ErrUnavailable)
	}
	return Identity{UserID: a.UserID, DeviceID: validDeviceID(a.DeviceID), Guest: a.Guest}, nil
}

// statusFault is for an HTTP status that says nothing about the token.
func statusFault(status int) error {
	if status >= http.StatusInternalServerError {
		return fmt.Errorf("%w: HTTP status %d", errFault, status)
	}
	return fmt.Errorf("%w: HTTP status %d", ErrUnavailable, status)
}

// outcomes name what came of a call, the first that fits.
var outcomes = []struct {
	name string
	err  error
}{
	{"locked", ErrUserLocked},
	{"expired", ErrTokenExpired},
	{"expired", ErrAccountExpired},
	{"forbidden", ErrForbidden},
	{"unknown", ErrUnknownToken},
	{"timeout", context.DeadlineExceeded},
	{"unreachable", errUnreachable},
	{"error", ErrUnavailable},
	{"found", nil},
}

func outcomeOf(err error) string {
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o.name
		}
	}
	return "error"
}
