package identity

import (
	"net/url"
	"strings"
)

// maxToken is longer than any token that Synapse or its authentication service makes, macaroons included.
const maxToken = 4096

// Header is how Authorization came: whether at all, and its value.
type Header struct {
	Value   string
	Present bool
}

// FromRequest reads the access token and the query parameter user_id as Synapse does
// (get_access_token_from_request, api/auth/base.py): exactly "Bearer " and one word, or else access_token in the query
// of path. With both, or with any other Authorization header, there is no token.
func FromRequest(authorization Header, path string) (token, userID string) {
	_, query, _ := strings.Cut(path, "?")
	token, inQuery := parameter(query, "access_token")
	if authorization.Present {
		if inQuery {
			return "", ""
		}
		var bearer bool
		if token, bearer = strings.CutPrefix(authorization.Value, "Bearer "); !bearer {
			return "", ""
		}
	}
	if !validToken(token) {
		return "", ""
	}
	if userID, _ = parameter(query, "user_id"); len(userID) > maxUserID {
		userID = ""
	}
	return token, userID
}

// validToken says whether a token can be the one word after "Bearer ".
func validToken(token string) bool {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return false
		}
	}
	return token != "" && len(token) <= maxToken
}

// parameter gives the first value of a query parameter. It splits as Twisted does (http.parse_qs): at "&" and ";",
// ignoring what has no "=". Other than net/url it makes no map: this runs for every request.
func parameter(query, name string) (value string, ok bool) {
	if !strings.Contains(query, name) && strings.IndexByte(query, '%') < 0 {
		return "", false // as most are
	}
	for query != "" {
		end := 0
		for end < len(query) && query[end] != '&' && query[end] != ';' {
			end++
		}
		key, value, ok := strings.Cut(query[:end], "=")
		if ok && (key == name || strings.IndexByte(key, '%') >= 0 && unescape(key) == name) {
			return unescape(value), true
		}
		query = query[min(end+1, len(query)):]
	}
	return "", false
}

// unescape leaves what is not well escaped as it is: it is then no token and no user ID.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	plain, err := url.QueryUnescape(s)
	if err != nil {
		return s
	}
	return plain
}
