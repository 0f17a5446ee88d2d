package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits in bytes, of the Matrix specification ("User identifiers") and of Synapse's login (devices).
const (
	maxUserID   = 255
	maxDeviceID = 512
)

// validUserID says whether s is @localpart:server and can be the value of a header. Historical localparts may hold
// nearly anything, so that all but spaces and control characters are let through.
func validUserID(s string) bool {
	localpart, server, ok := strings.Cut(s, ":")
	return ok && len(s) <= maxUserID && len(localpart) > 1 && localpart[0] == '@' && visible(localpart) &&
		server != "" && !strings.ContainsFunc(server, notInServerName)
}

// validDeviceID gives the device ID, or none where it could not be a header's: nothing depends on it.
func validDeviceID(s string) string {
	if len(s) > maxDeviceID || !visible(s) {
		return ""
	}
	return s
}

// visible says whether s is UTF-8 without spaces and control characters.
func visible(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) })
}

// notInServerName: host names, IP addresses in any notation, and a port.
func notInServerName(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune(".-:[]", r)
}
