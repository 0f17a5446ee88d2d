// Package affinity says which requests belong together, and by which key Envoy's ring finds them the same worker. The
// regular expressions here are given to Envoy as they stand (RE2, as in Go), so that Envoy, Axon's ext_authz server and
// axon explain can never disagree about a key.
package affinity

import (
	"encoding/base64"
	"regexp"
	"strings"
)

// Affinity is what the requests of a route have in common when they should land on one process.
type Affinity string

// The affinities. Single marks a route whose group is one process by choice (SSO), None one that is balanced.
const (
	None   Affinity = "none"
	User   Affinity = "user"
	Room   Affinity = "room"
	Origin Affinity = "origin"
	Source Affinity = "source"
)

// UserHeader carries the full Matrix user ID to Synapse (and to a mesh's own hash policy). KeyHeader carries UserKey to
// Envoy's ring and is taken away before the request leaves Envoy.
// GroupHeader names the group that an appservice has for itself.
const (
	UserHeader  = "x-user-identifier"
	KeyHeader   = "x-axon-affinity"
	GroupHeader = "x-axon-group"
)

// NativeToken cuts the user's key out of a Bearer header with a token that Synapse made itself:
// syt_<unpadded base64 of the localpart>_<random>_<crc>. A header that does not match is hashed whole.
const NativeToken = `^Bearer syt_([^_]+)_.*$`

// RoomPath cuts the opaque part of the first room ID or alias out of :path, the same for "!" and "%21", ":" and "%3A",
// every API version and domainless (version 12) room IDs. A path without one is hashed whole, query included.
const RoomPath = `^[^?]*?/(?:[!#]|%2[13])((?:[^:%/?]|%[^3/?]|%3[^Aa/?])+).*$`

// XMatrixOrigin cuts the origin out of a federation request's Authorization header (server-server API, "Request
// Authentication"): quoted or not, the parameters in any order, any case.
const XMatrixOrigin = `(?i)^X-Matrix\s+(?:.*[\s,])?origin\s*=\s*"?([^",\s]+)"?.*$`

var (
	nativeToken   = regexp.MustCompile(NativeToken)
	roomPath      = regexp.MustCompile(RoomPath)
	xMatrixOrigin = regexp.MustCompile(XMatrixOrigin)
)

// UserKey is the key of a Matrix user ID: the unpadded base64 of its localpart, which is what Envoy alone can cut out of
// a native token, so that a user stays where he is when Axon stops. Empty for anything but a user ID.
func UserKey(userID string) string {
	localpart, _, ok := strings.Cut(strings.TrimPrefix(userID, "@"), ":")
	if !ok || localpart == "" || userID[0] != '@' {
		return ""
	}
	return base64.RawStdEncoding.EncodeToString([]byte(localpart))
}

// BearerKey is what Envoy hashes of an Authorization header when Axon gave it no key.
func BearerKey(authorization string) string { return rewrite(nativeToken, authorization) }

// RoomKey is what Envoy hashes of a path, query included, on a route with affinity Room.
func RoomKey(path string) string { return rewrite(roomPath, path) }

// OriginKey is what Envoy hashes of the Authorization header on a route with affinity Origin.
func OriginKey(authorization string) string { return rewrite(xMatrixOrigin, authorization) }

// rewrite does what Envoy's regex_rewrite with substitution \1 does: a value that does not match stays as it is.
func rewrite(re *regexp.Regexp, s string) string {
	if m := re.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return s
}
