package faults

import (
	"fmt"
	"math/rand/v2"
)

// kind is one sort of request.
type kind struct {
	name, method string
	weight       int // how often it comes
	write        bool
	// strict marks what only one process may serve.
	strict string
	// path has no query. Room, user and origin are those that the request is about.
	path func(a about) string
	// together says what requests meet on one worker because of; nil where nothing.
	together func(a about) string
	// personal marks those whose worker is the user's, which Envoy finds out from the token.
	personal bool
}

// about is what a request is about.
type about struct {
	id, room, user, origin string
	token                  string
	fresh                  bool // nobody has used the token before the fault
}

const (
	rooms   = 50
	origins = 20
	v3      = "/_matrix/client/v3"
)

// kinds are the mixture: half of it reads, half writes.
var kinds = []kind{
	{
		name: "sync", method: "GET", weight: 6,
		path: fixed(v3 + "/sync"), together: func(a about) string { return "syncs of " + a.user }, personal: true,
	},
	{
		name: "messages", method: "GET", weight: 4,
		path: inRoom("/messages"), together: func(a about) string { return "reads in " + a.room },
	},
	{name: "joined rooms", method: "GET", weight: 3, path: fixed(v3 + "/joined_rooms")},
	{name: "federation read", method: "GET", weight: 2, path: fixed("/_matrix/federation/v1/version")},
	{name: "media read", method: "GET", weight: 1, path: fixed("/_matrix/client/v1/media/config")},
	{name: "main's read", method: "GET", weight: 1, path: fixed(v3 + "/pushers"), strict: "main"},
	{
		name: "send", method: "PUT", weight: 6, write: true,
		path:     func(a about) string { return inRoom("/send/m.room.message/" + a.id)(a) },
		together: func(a about) string { return "events in " + a.room },
	},
	{
		name: "create room", method: "POST", weight: 2, write: true,
		path: fixed(v3 + "/createRoom"), together: func(a about) string { return "rooms of " + a.user }, personal: true,
	},
	{
		name: "transaction", method: "PUT", weight: 2, write: true,
		path:     func(a about) string { return "/_matrix/federation/v1/send/" + a.id },
		together: func(a about) string { return "transactions of " + a.origin },
	},
	{name: "typing", method: "PUT", weight: 1, write: true, strict: writer, path: func(a about) string { return inRoom("/typing/" + a.user)(a) }},
	{name: "receipt", method: "POST", weight: 1, write: true, strict: writer, path: inRoom("/receipt/m.read/$event")},
	{name: "to device", method: "PUT", weight: 1, write: true, strict: writer, path: func(a about) string { return v3 + "/sendToDevice/m.x/" + a.id }},
	{name: "account data", method: "PUT", weight: 1, write: true, path: func(a about) string { return v3 + "/user/" + a.user + "/account_data/m.x" }},
	{name: "keys query", method: "POST", weight: 1, write: true, path: fixed(v3 + "/keys/query")},
	{name: "upload", method: "POST", weight: 1, write: true, path: fixed("/_matrix/media/v3/upload")},
	{name: "main's write", method: "POST", weight: 1, write: true, strict: "main", path: fixed(v3 + "/pushers/set")},
}

// poll is a sync that is held.
var poll = kind{name: "poll", method: "GET", path: kinds[0].path, together: kinds[0].together, personal: true}

func fixed(path string) func(about) string { return func(about) string { return path } }

func inRoom(rest string) func(about) string {
	return func(a about) string { return v3 + "/rooms/" + a.room + rest }
}

func room(i int) string   { return fmt.Sprintf("!room%d:%s", i, serverName) }
func origin(i int) string { return fmt.Sprintf("server%d.org", i) }

// anyKind draws from the mixture.
func anyKind(draw *rand.Rand) *kind {
	all := 0
	for _, k := range kinds {
		all += k.weight
	}
	n := draw.IntN(all)
	for i := range kinds {
		if n -= kinds[i].weight; n < 0 {
			return &kinds[i]
		}
	}
	panic("unreachable")
}
