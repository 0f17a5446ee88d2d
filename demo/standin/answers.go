package standin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The answers hold what the client-server and server-server API require of a 200 and nothing more.

func (w *Worker) whoami(rw http.ResponseWriter, r *http.Request, user string, tokenFault *refusal) {
	switch {
	case w.hang.Load():
		<-r.Context().Done()
	case w.fail.Load():
		notWriter.write(rw)
	case tokenFault != nil:
		tokenFault.write(rw)
	default:
		writeJSON(rw, http.StatusOK, map[string]any{"user_id": user, "device_id": "STANDIN", "is_guest": false})
	}
}

func clientVersions(*Worker, *http.Request, string) any {
	return map[string]any{"versions": []string{"r0.6.1", "v1.1", "v1.12"}}
}

func loginFlows(*Worker, *http.Request, string) any {
	return map[string]any{"flows": []map[string]string{{"type": "m.login.password"}}}
}

// login lets anybody in, with a token that no process knows: a stand-in's tokens are given to it when it starts.
func login(_ *Worker, r *http.Request, _ string) any {
	var body struct {
		Identifier struct {
			User string `json:"user"`
		} `json:"identifier"`
	}
	_ = json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<16)).Decode(&body)
	return map[string]string{
		"user_id": body.Identifier.User, "device_id": "STANDIN", "access_token": NativeToken(body.Identifier.User),
	}
}

// syncNow holds an incremental sync for its timeout and then has nothing new to tell; an initial sync answers at once.
func syncNow(w *Worker, r *http.Request, _ string) any {
	if q := r.URL.Query(); q.Has("since") {
		w.hold(r, q)
	}
	return map[string]any{"next_batch": w.next("s"), "rooms": struct{}{}}
}

func slidingSync(w *Worker, r *http.Request, _ string) any {
	if q := r.URL.Query(); q.Has("pos") {
		w.hold(r, q)
	}
	return map[string]any{"pos": w.next(""), "lists": struct{}{}, "rooms": struct{}{}, "extensions": struct{}{}}
}

func (w *Worker) hold(r *http.Request, q url.Values) {
	ms, err := strconv.Atoi(q.Get("timeout"))
	if err != nil || ms <= 0 {
		return
	}
	timer := time.NewTimer(min(time.Duration(ms)*time.Millisecond, w.config.LongPoll))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// next gives an identifier that this process has not given before.
func (w *Worker) next(prefix string) string { return fmt.Sprintf("%s%d", prefix, w.events.Add(1)) }

func event(w *Worker, _ *http.Request, _ string) any {
	return map[string]string{"event_id": w.next("$" + w.config.Name + "-")}
}

func messages(w *Worker, _ *http.Request, _ string) any {
	return map[string]any{"chunk": []any{}, "start": w.next("t")}
}

func users(*Worker, *http.Request, string) any {
	return map[string]any{"results": []any{}, "limited": false}
}

func upload(w *Worker, _ *http.Request, user string) any {
	_, server, _ := strings.Cut(user, ":")
	return map[string]string{"content_uri": w.next("mxc://" + server + "/" + w.config.Name + "-")}
}

func transaction(*Worker, *http.Request, string) any { return map[string]any{"pdus": struct{}{}} }

func serverVersion(*Worker, *http.Request, string) any {
	return map[string]any{"server": map[string]string{"name": "Synapse", "version": "stand-in"}}
}
