package identity

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const masTestSecret = "the secret of MAS and Synapse"

// session is what the authentication service knows of a token.
type session struct {
	scope    []string
	username string
	clientID string
	device   string        // of a login by Synapse's API: named apart
	expires  time.Duration // zero for never
}

// The scopes that real sessions have.
var (
	oauthScope = []string{
		"urn:matrix:client:api:*", "urn:matrix:client:device:D",
		"urn:matrix:org.matrix.msc2967.client:api:*", "urn:matrix:org.matrix.msc2967.client:device:D",
	}
	compatScope = []string{"urn:matrix:client:api:*", "urn:matrix:org.matrix.msc2967.client:api:*"}
)

// standin is the introspection endpoint of the Matrix Authentication Service 1.22.0, as it was measured.
type standin struct {
	sessions map[string]session
	instead  http.HandlerFunc // answers in its place, where it is set

	mu       sync.Mutex
	requests []*http.Request
	forms    []string
}

func (m *standin) serve(t *testing.T) (endpoint string) {
	t.Helper()
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	return server.URL
}

func (m *standin) asked() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.requests)
}

func (m *standin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	form, _ := io.ReadAll(io.LimitReader(r.Body, 2<<20))
	m.mu.Lock()
	m.requests, m.forms = append(m.requests, r), append(m.forms, string(form))
	m.mu.Unlock()
	if m.instead != nil {
		m.instead(w, r)
		return
	}
	status, answer := m.answer(r, string(form))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

type object = map[string]any

func (m *standin) answer(r *http.Request, form string) (status int, answer object) {
	switch bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); {
	case r.URL.Path != "/oauth2/introspect":
		return http.StatusNotFound, nil
	case r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, nil
	case !ok:
		return http.StatusBadRequest, object{"error": "invalid_request"}
	case bearer != masTestSecret:
		return http.StatusUnauthorized, object{"error": "access_denied", "error_description": "bearer token presented is invalid"}
	case r.Header.Get("Content-Type") != "application/x-www-form-urlencoded":
		return http.StatusBadRequest, object{"error": "invalid_request"}
	}
	values, err := url.ParseQuery(form)
	if err != nil || !values.Has("token") {
		return http.StatusInternalServerError, object{"error": "server_error"}
	}
	return http.StatusOK, m.introspect(values.Get("token"), values.Get("token_type_hint"), r.Header.Get("X-MAS-Supports-Device-Id") == "1")
}

// introspect answers as the token's prefix decides: a hint that does not agree with it finds nothing.
func (m *standin) introspect(token, hint string, knowsDevices bool) object {
	prefix, _, _ := strings.Cut(token, "_")
	s, known := m.sessions[token]
	if !known || slices.Contains([]string{"mar", "mcr"}, prefix) != (hint == "refresh_token") {
		return object{"active": false}
	}
	a := object{"active": true, "client_id": s.clientID, "token_type": "access_token", "iat": time.Now().Unix(), "nbf": time.Now().Unix()}
	if s.username != "" {
		a["username"], a["sub"] = s.username, "01JQ0000000000000000000000"
	}
	if s.device != "" && knowsDevices {
		a["device_id"] = s.device
	} else if s.device != "" {
		s.scope = append(slices.Clone(s.scope), "urn:matrix:client:device:"+s.device)
	}
	if s.expires != 0 {
		a["exp"], a["expires_in"] = time.Now().Add(s.expires).Unix(), int(s.expires.Seconds())
	}
	if prefix == "mat" {
		a["jti"] = "01JQ0000000000000000000001"
	}
	a["scope"] = strings.Join(s.scope, " ")
	return a
}

// newStandin has a session of each kind.
func newStandin() *standin {
	return &standin{sessions: map[string]session{
		"mat_oauth":       {oauthScope, "alice", "01JQCLIENT", "", 300 * time.Second},
		"mct_login":       {compatScope, "alice", "legacy", "HrIWAxl6GL", 0},
		"mct_refreshable": {compatScope, "alice", "legacy", "HrIWAxl6GL", 300 * time.Second},
		"mpt_personal":    {compatScope, "alice", "01JQOWNER", "", 0},
		"mpt_limited":     {oauthScope, "alice", "01JQOWNER", "", time.Hour},
		"mat_admin":       {[]string{"urn:mas:admin"}, "", "01JQCLIENT", "", 300 * time.Second},
		"mat_adminuser":   {[]string{"urn:mas:admin"}, "alice", "01JQCLIENT", "", 300 * time.Second},
		"mar_refresh":     {oauthScope, "alice", "01JQCLIENT", "", 0},
		"mcr_refresh":     {compatScope, "alice", "legacy", "", 0},
		"syt_YWxpY2U_a_b": {compatScope, "alice", "legacy", "OLD", 0},
		"mat_ab/+=d":      {oauthScope, "bob", "01JQCLIENT", "", 300 * time.Second},
	}}
}
