package identity

import "net/http"

// Refusal is an error that Synapse would answer such a token with: HTTP status and Matrix error (client-server API,
// "Standard error response"; Synapse's api/errors.py and api/auth). errors.As finds it, and errors.Is tells which it is.
type Refusal struct {
	Status  int
	ErrCode string
	Message string
	// SoftLogout says that the client should log in again and keep what it has. Synapse says so, or not, with
	// M_UNKNOWN_TOKEN and M_USER_LOCKED.
	SoftLogout bool

	name string
	kind error
}

// Error names the refusal as logs and metrics do; it is not Synapse's message.
func (r *Refusal) Error() string { return r.name }

// Unwrap gives the general case of a special one.
func (r *Refusal) Unwrap() error { return r.kind }

// The refusals. All but ErrNoToken are special cases of ErrUnknownToken.
var (
	// ErrNoToken says that the request carries none that Synapse would read.
	ErrNoToken error = &Refusal{http.StatusUnauthorized, "M_MISSING_TOKEN", "Missing access token", false, "no access token", nil}
	// ErrUnknownToken says that there is no user for it.
	ErrUnknownToken error = &Refusal{http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "Invalid access token passed.", false, "unknown access token", nil}
	// ErrTokenExpired is for tokens that a refresh token should have replaced.
	ErrTokenExpired error = &Refusal{http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "Access token has expired", true, "access token expired", ErrUnknownToken}
	// ErrTokenInactive is the authentication service's: it says no more.
	ErrTokenInactive error = &Refusal{http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "Token is not active", false, "access token not active", ErrUnknownToken}
	// ErrNoAccess is for tokens of the authentication service that are not for Matrix clients.
	ErrNoAccess error = &Refusal{http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "Token doesn't grant access to the Matrix C-S API", false, "access token without access", ErrUnknownToken}
	// ErrUserLocked is not for long: the same token works again as soon as an administrator unlocks the user.
	ErrUserLocked error = &Refusal{http.StatusUnauthorized, "M_USER_LOCKED", "User account has been locked", true, "user locked", ErrUnknownToken}
	// ErrAccountExpired is not for long either: the account may be renewed.
	ErrAccountExpired error = &Refusal{http.StatusForbidden, "ORG_MATRIX_EXPIRED_ACCOUNT", "User account has expired", false, "account expired", ErrUnknownToken}
	// ErrForbidden says that an application service asked for a user that is not its own, or does not exist.
	ErrForbidden error = &Refusal{http.StatusForbidden, "M_FORBIDDEN", "Application service cannot masquerade as this user", false, "not a user of this application service", ErrUnknownToken}
)
