package demo

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
)

// view is the part of the table that a request is shown in: a row for each of these.
type view int

const (
	byKind view = iota
	byUser
	byRoom
	byOrigin
)

// request is one request, and how it is shown.
type request struct {
	what           string // in a word, for the table and for faults
	method, target string // the target is sent byte for byte
	body           string
	authorization  string
	user           string // whose identity should arrive; empty where it does not matter
	view           view
	subject        string // the row; "what" where empty
	party          string // those of one subject that should land together: a device, a spelling
}

// by signs the request with the device's token.
func (r request) by(d device) request {
	if !d.inQuery {
		r.authorization = "Bearer " + d.token
		return r
	}
	separator := "?"
	if strings.Contains(r.target, "?") {
		separator = "&"
	}
	r.target += separator + "access_token=" + d.token
	return r
}

// ofUser shows the request in the row of the device's user.
func (r request) ofUser(d device) request {
	r.view, r.user, r.subject, r.party = byUser, d.user, localpart(d.user), d.name
	return r.by(d)
}

func initialSync(d device) request {
	return request{what: "initial sync", method: http.MethodGet, target: "/_matrix/client/v3/sync?timeout=0"}.by(d)
}

func incrementalSync(d device, since string, timeout int) request {
	target := fmt.Sprintf("/_matrix/client/v3/sync?since=%s&timeout=%d", since, timeout)
	return request{what: "sync", method: http.MethodGet, target: target}.ofUser(d)
}

// mix is the traffic beside syncs: each entry is as likely as its weight says.
var mix = []struct {
	weight int
	make   func(device) request
}{
	{6, send},
	{4, transaction},
	{2, slidingSync},
	{2, messages},
	{2, typing},
	{2, receipt},
	{1, toDevice},
	{1, upload},
	{1, download},
	{1, login},
	{1, profile},
	{1, version},
}

// pick gives the next request of the mix, of a device taken at random.
func pick(devices []device) request {
	total := 0
	for _, m := range mix {
		total += m.weight
	}
	d, n := oneOf(devices), rand.IntN(total)
	for _, m := range mix {
		if n -= m.weight; n < 0 {
			return m.make(d)
		}
	}
	panic("unreachable: n < total")
}

func oneOf[T any](all []T) T { return all[rand.IntN(len(all))] }

// unique makes transaction IDs and the like.
func unique() uint64 { return rand.Uint64() }

func send(d device) request {
	r, spelling := oneOf(rooms), rand.IntN(len(spellings))
	return request{
		what: "send", method: http.MethodPut, body: `{"msgtype":"m.text","body":"hello"}`,
		target: fmt.Sprintf("/_matrix/client/v3/rooms/%s/send/m.room.message/%d", spellings[spelling].Replace(r.id), unique()),
		view:   byRoom, subject: r.alias, party: fmt.Sprint(spelling),
	}.by(d)
}

func transaction(device) request {
	origin, form := oneOf(origins), rand.IntN(len(signings))
	return request{
		what: "federation send", method: http.MethodPut, body: `{"origin":"` + origin + `","origin_server_ts":0,"pdus":[]}`,
		target:        fmt.Sprintf("/_matrix/federation/v1/send/%d", unique()),
		authorization: strings.ReplaceAll(signings[form], "$O", origin),
		view:          byOrigin, subject: origin, party: fmt.Sprint(form),
	}
}

func slidingSync(d device) request {
	const path = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?pos=1&timeout=0"
	return request{what: "sliding sync", method: http.MethodPost, target: path, body: `{}`}.ofUser(d)
}

func messages(d device) request { return inRoom(d, "messages", http.MethodGet, "messages?dir=b", "") }

func typing(d device) request {
	return inRoom(d, "typing", http.MethodPut, "typing/"+d.user, `{"typing":true,"timeout":30000}`)
}

func receipt(d device) request {
	return inRoom(d, "receipt", http.MethodPost, "receipt/m.read/$event-1", `{}`)
}

func inRoom(d device, what, method, path, body string) request {
	id := oneOf(spellings).Replace(oneOf(rooms).id)
	return request{what: what, method: method, target: "/_matrix/client/v3/rooms/" + id + "/" + path, body: body}.by(d)
}

func toDevice(d device) request {
	return request{
		what: "to-device", method: http.MethodPut, body: `{"messages":{}}`,
		target: fmt.Sprintf("/_matrix/client/v3/sendToDevice/m.room.encrypted/%d", unique()),
	}.by(d)
}

func upload(d device) request {
	return request{what: "upload", method: http.MethodPost, target: "/_matrix/media/v3/upload", body: "picture"}.by(d)
}

func download(d device) request {
	target := "/_matrix/client/v1/media/download/" + serverName + "/picture"
	return request{what: "download", method: http.MethodGet, target: target}.by(d)
}

func login(d device) request {
	body := `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"` + d.user + `"},"password":"…"}`
	return request{what: "login", method: http.MethodPost, target: "/_matrix/client/v3/login", body: body}
}

func profile(d device) request {
	return request{what: "profile", method: http.MethodGet, target: "/_matrix/client/v3/profile/" + d.user}.by(d)
}

func version(device) request {
	return request{what: "federation version", method: http.MethodGet, target: "/_matrix/federation/v1/version"}
}
