package storm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"axon/e2e/synapse"
)

const (
	// An initial sync is made heavy by state: rooms with this much of it.
	heavyRooms = 6
	stateOfAll = 80
	// stormers are the users whose initial syncs are the storm, each from several devices: what Synapse has just told a device
	// it would not work out again.
	stormers = 4
	devices  = 5
	// quiet are the users whose incremental syncs are measured: with news in some rooms, as after a night.
	quiet      = 4
	lightRooms = 6
	messages   = 8
	password   = "secret of a test"
)

// homeserver is a real Synapse with people whose syncs are heavy and others whose are light.
type homeserver struct {
	*synapse.Homeserver
	storm []string // access tokens
	light []light
}

// light is somebody who is in rooms with some new messages since a point in time.
type light struct{ token, since string }

func startHomeserver(b *testing.B) *homeserver {
	b.Helper()
	h := &homeserver{Homeserver: synapse.Start(b, synapse.Options{
		Workers: []synapse.Worker{
			{Name: "sync-1", Resources: []string{"client"}},
			{Name: "sync-2", Resources: []string{"client"}},
			{Name: "initial-sync-1", Resources: []string{"client"}},
		},
		Config: "bcrypt_rounds: 4\ncaches: {sync_response_duration: 0s}\n",
	})}
	var rooms []string
	host := h.register(b, "host")
	for n := range heavyRooms {
		rooms = append(rooms, h.createRoom(b, host, stateFor(n)))
	}
	for n := range stormers {
		name := fmt.Sprintf("stormer%d", n)
		token := h.register(b, name)
		for _, room := range rooms {
			h.join(b, token, room)
		}
		h.storm = append(h.storm, token)
		for range devices - 1 {
			h.storm = append(h.storm, h.login(b, name))
		}
	}
	h.people(b, host)
	return h
}

// people are the light users.
func (h *homeserver) people(b *testing.B, host string) {
	b.Helper()
	var rooms []string
	for range lightRooms {
		rooms = append(rooms, h.createRoom(b, host, []map[string]any{}))
	}
	for n := range quiet {
		l := light{token: h.register(b, fmt.Sprintf("quiet%d", n))}
		for _, room := range rooms {
			h.join(b, l.token, room)
		}
		h.light = append(h.light, l)
	}
	for n := range h.light {
		h.light[n].since = h.call(b, "GET", h.light[n].token, "/_matrix/client/v3/sync", nil)["next_batch"].(string)
	}
	for n := range messages * lightRooms {
		to := fmt.Sprintf("/_matrix/client/v3/rooms/%s/send/m.room.message/%d", url.PathEscape(rooms[n%lightRooms]), n)
		h.call(b, "PUT", host, to, map[string]any{"msgtype": "m.text", "body": "hello"})
	}
}

func stateFor(room int) (state []map[string]any) {
	for n := range stateOfAll {
		state = append(state, map[string]any{"type": "axon.test", "state_key": fmt.Sprint(n), "content": map[string]any{"room": room, "text": strings.Repeat("x", 200)}})
	}
	return state
}

func (h *homeserver) register(b *testing.B, name string) (token string) {
	b.Helper()
	said := h.call(b, "POST", "", "/_matrix/client/v3/register", map[string]any{"username": name, "password": password, "auth": map[string]any{"type": "m.login.dummy"}})
	return said["access_token"].(string)
}

func (h *homeserver) login(b *testing.B, name string) (token string) {
	b.Helper()
	return h.call(b, "POST", "", "/_matrix/client/v3/login", loginOf(name))["access_token"].(string)
}

func loginOf(name string) map[string]any {
	return map[string]any{"type": "m.login.password", "identifier": map[string]any{"type": "m.id.user", "user": name}, "password": password}
}

func (h *homeserver) createRoom(b *testing.B, token string, state []map[string]any) string {
	b.Helper()
	return h.call(b, "POST", token, "/_matrix/client/v3/createRoom", map[string]any{"preset": "public_chat", "initial_state": state})["room_id"].(string)
}

func (h *homeserver) join(b *testing.B, token, room string) {
	b.Helper()
	h.call(b, "POST", token, "/_matrix/client/v3/join/"+url.PathEscape(room), map[string]any{})
}

// call asks main, past any front door.
func (h *homeserver) call(b *testing.B, method, token, path string, body any) (said map[string]any) {
	b.Helper()
	status, text, err := send(http.DefaultClient, method, h.URL+path, token, body)
	if err == nil {
		err = json.Unmarshal(text, &said)
	}
	if err != nil || status != http.StatusOK {
		b.Fatalf("%s %s: %d %v: %s", method, path, status, err, text)
	}
	return said
}

// send gives the status and the body of the answer.
func send(client *http.Client, method, to, token string, body any) (int, []byte, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, to, content)
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, text, err
}
