package identity

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
)

// native is a Resolver that reads the user out of a token that Synapse made itself (syt_<unpadded base64 of the
// localpart>_<random>_<checksum>, generate_access_token in handlers/auth.py). It asks nobody, and so verifies nothing.
type native struct{ home *home }

// Resolve fails for all other tokens.
func (n native) Resolve(_ context.Context, r Request) (Identity, error) {
	if localpart, ok := nativeLocalpart(r.Token); ok {
		if userID, ok := n.home.userID(localpart); ok {
			return Identity{UserID: userID, Unverified: true}, nil
		}
	}
	return Identity{}, fmt.Errorf("native: %w: %w", ErrUnavailable, errElsewhere)
}

func nativeLocalpart(token string) (localpart string, ok bool) {
	rest, native := strings.CutPrefix(token, "syt_")
	encoded, rest, more := strings.Cut(rest, "_")
	random, checksum, whole := strings.Cut(rest, "_")
	if !native || !more || !whole || random == "" || checksum == "" {
		return "", false
	}
	decoded, err := base64.RawStdEncoding.Strict().DecodeString(encoded)
	return string(decoded), err == nil && len(decoded) > 0
}
