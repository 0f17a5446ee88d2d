package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // Synapse's choice for its registration secret
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"axon/e2e/synapse"
)

// matrix is a plain client: each call is one request, and what fails otherwise than by its status fails the test.
type matrix struct {
	t   testing.TB
	url string
	// secrets collects every token and password that was used, for those who look for them where they must not be.
	secrets *[]string
}

// in is the client for a part of the test.
func (m matrix) in(t testing.TB) matrix {
	m.t = t
	return m
}

// answer is what the homeserver said.
type answer struct {
	Status int
	Body   map[string]any
}

func (a answer) text(key string) string {
	text, _ := a.Body[key].(string)
	return text
}

// login is a device of a user.
type login struct{ user, password, token, device, refresh string }

func (m matrix) do(method, path, token string, body any) answer {
	m.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		m.t.Fatal(err)
	}
	request, err := http.NewRequest(method, m.url+path, bytes.NewReader(data))
	if err != nil {
		m.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		m.t.Fatal(err)
	}
	defer response.Body.Close()
	a := answer{Status: response.StatusCode}
	_ = json.NewDecoder(response.Body).Decode(&a.Body) // an answer without JSON has only its status
	return a
}

// must is a call that has to succeed.
func (m matrix) must(method, path, token string, body any) answer {
	m.t.Helper()
	a := m.do(method, path, token, body)
	if a.Status != http.StatusOK {
		m.t.Fatalf("%s %s: %d %s", method, path, a.Status, a.text("errcode"))
	}
	return a
}

func (m matrix) keep(secrets ...string) {
	for _, secret := range secrets {
		if secret != "" {
			*m.secrets = append(*m.secrets, secret)
		}
	}
}

// register makes a user of a random name and logs in.
func (m matrix) register() login {
	m.t.Helper()
	l := login{user: "u" + lower(rand.Text()[:10]), password: rand.Text()}
	m.keep(l.password)
	a := m.must(http.MethodPost, v3+"register", "", map[string]any{
		"username": l.user, "password": l.password, "auth": map[string]any{"type": "m.login.dummy"},
	})
	return m.loggedIn(l, a)
}

// login gives the user one more device.
func (m matrix) login(l login) login {
	m.t.Helper()
	a := m.must(http.MethodPost, v3+"login", "", map[string]any{
		"type": "m.login.password", "identifier": identifier(l), "password": l.password, "refresh_token": true,
	})
	return m.loggedIn(l, a)
}

func (m matrix) loggedIn(l login, a answer) login {
	m.t.Helper()
	l.user, l.token, l.device, l.refresh = a.text("user_id"), a.text("access_token"), a.text("device_id"), a.text("refresh_token")
	if l.token == "" {
		m.t.Fatalf("log in: no token, %d %s", a.Status, a.text("errcode"))
	}
	m.keep(l.token, l.refresh)
	return l
}

// admin is a user who may administer the homeserver (Synapse's docs/admin_api/register_api.md).
func (m matrix) admin(hs *synapse.Homeserver) login {
	m.t.Helper()
	const path = "/_synapse/admin/v1/register"
	l := login{user: "admin" + lower(rand.Text()[:10]), password: rand.Text()}
	m.keep(l.password)
	nonce := m.must(http.MethodGet, path, "", nil).text("nonce")
	mac := hmac.New(sha1.New, []byte(hs.RegistrationSecret))
	fmt.Fprintf(mac, "%s\x00%s\x00%s\x00admin", nonce, l.user, l.password)
	a := m.must(http.MethodPost, path, "", map[string]any{
		"nonce": nonce, "username": l.user, "password": l.password, "admin": true, "mac": hex.EncodeToString(mac.Sum(nil)),
	})
	return m.loggedIn(l, a)
}

// lock locks a user or unlocks them.
func (m matrix) lock(admin, l login, locked bool) {
	m.t.Helper()
	m.must(http.MethodPut, "/_synapse/admin/v2/users/"+url.PathEscape(l.user), admin.token, map[string]any{"locked": locked})
}

func lower(text string) string { return string(bytes.ToLower([]byte(text))) }

// eventually waits until it is so; what is waited for takes much less than a second, or what Synapse needs to reconnect.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
