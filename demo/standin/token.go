package standin

import (
	"crypto/rand"
	"encoding/base64"
	"hash/crc32"
	"net/http"
	"strings"
)

// NativeToken gives a new token of the form that Synapse makes itself (handlers/auth.py): the unpadded base64 of the
// localpart stands in it. The argument is a localpart or a user ID.
func NativeToken(user string) string {
	localpart, _, _ := strings.Cut(strings.TrimPrefix(user, "@"), ":")
	return checked("syt_" + base64.RawStdEncoding.EncodeToString([]byte(localpart)) + "_" + rand.Text()[:20])
}

// OpaqueToken gives a new token as the Matrix Authentication Service makes them: nothing in it names the user.
func OpaqueToken() string { return checked("mat_" + (rand.Text() + rand.Text())[:30]) }

// checked appends the checksum that both Synapse and the authentication service put at the end.
func checked(base string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := crc32.ChecksumIEEE([]byte(base))
	var crc [6]byte
	for i := len(crc) - 1; i >= 0; i-- {
		crc[i] = digits[sum%62]
		sum /= 62
	}
	return base + "_" + string(crc[:])
}

// user finds the user of a request's token as Synapse does (api/auth/base.py): "Bearer" is case-sensitive, and a token in
// the header and another in the query are as bad as none.
func (w *Worker) user(r *http.Request) (string, *refusal) {
	query, headers := r.URL.Query()["access_token"], r.Header.Values("Authorization")
	token := ""
	switch {
	case len(query)+len(headers) != 1:
		return "", noToken
	case len(query) == 1:
		token = query[0]
	default:
		bearer, ok := strings.CutPrefix(headers[0], "Bearer ")
		if !ok {
			return "", noToken
		}
		token = bearer
	}
	user, ok := w.config.Tokens[token]
	if !ok {
		return "", unknownToken
	}
	return user, nil
}
