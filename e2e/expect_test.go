package e2e

import (
	"regexp"
	"slices"

	"axon/e2e/synapse"
)

// The workers of synapse.Full by what they are for.
var (
	syncers     = []string{"sync-1", "sync-2", "sync-3"}
	initial     = []string{"initial-sync-1"}
	federation  = []string{"federation-1", "federation-2"}
	readers     = []string{"client-reader-1", "client-reader-2"}
	creator     = []string{"event-creator-1"}
	writer      = []string{"stream-writer-1"}
	mediaWorker = []string{"media-1"}
	directory   = []string{"user-dir-1"}
	mainProcess = []string{"main"}
)

// expectation says which processes may serve a class of requests.
type expectation struct {
	class   string
	method  string // a regular expression for all of it, as the others
	path    string
	query   string // for any part of it; the class has it
	workers []string
}

const (
	v3   = `/_matrix/client/v3/`
	room = v3 + `rooms/[^/]+/`
	user = v3 + `user/[^/]+/`
)

// expectations are tried in their order; the first that fits a request counts. They follow docs/workers.md of Synapse
// 1.163 and, where that is silent or wrong, what its processes were seen to answer.
var expectations = []expectation{
	{class: "full state sync", method: `GET`, path: v3 + `sync`, query: `full_state=true`, workers: initial},
	{class: "incremental sync", method: `GET`, path: v3 + `sync`, query: `(^|&)since=.`, workers: syncers},
	{class: "initial sync", method: `GET`, path: v3 + `sync`, workers: initial},
	{class: "room's initialSync", method: `GET`, path: room + `initialSync`, workers: initial},
	{class: "incremental sliding sync", method: `POST`, path: `.*simplified_msc3575/sync`, query: `(^|&)pos=.`, workers: syncers},
	{class: "initial sliding sync", method: `POST`, path: `.*simplified_msc3575/sync`, workers: initial},

	{class: "typing", method: `PUT`, path: room + `typing/.*`, workers: writer},
	{class: "receipt", method: `POST`, path: room + `receipt/.*`, workers: writer},
	{class: "read markers", method: `POST`, path: room + `read_markers`, workers: writer},
	{class: "to-device", method: `PUT`, path: v3 + `sendToDevice/.*`, workers: writer},
	{class: "presence", method: `GET|PUT`, path: v3 + `presence/.*`, workers: writer},
	{class: "changing account data", method: `PUT`, path: user + `(rooms/[^/]+/)?account_data/.*`, workers: writer},
	{class: "reading account data", method: `GET`, path: user + `(rooms/[^/]+/)?account_data/.*`, workers: slices.Concat(writer, readers)},
	{class: "changing tags", method: `PUT|DELETE`, path: user + `rooms/[^/]+/tags/.*`, workers: writer},
	{class: "reading tags", method: `GET`, path: user + `rooms/[^/]+/tags`, workers: slices.Concat(writer, readers)},
	{class: "changing push rules, which main writes", method: `PUT|DELETE`, path: v3 + `pushrules/.*`, workers: mainProcess},
	{class: "reading push rules", method: `GET`, path: v3 + `pushrules/.*`, workers: slices.Concat(mainProcess, readers)},
	{class: "devices, which main writes for whoever is asked", method: `GET|PUT|POST`, path: v3 + `(devices.*|keys/upload)`, workers: slices.Concat(mainProcess, readers)},

	{class: "media", method: `GET|POST`, path: `/_matrix/(media/v3|client/v1/media)/.*`, workers: mediaWorker},
	{class: "user directory", method: `POST`, path: v3 + `user_directory/search`, workers: directory},

	{class: "making events", method: `PUT`, path: room + `(send|state|redact)/.*`, workers: creator},
	{class: "membership", method: `POST`, path: room + `(join|invite|leave)`, workers: creator},
	{class: "joining", method: `POST`, path: v3 + `join/.*`, workers: creator},
	{class: "making a room", method: `POST`, path: v3 + `createRoom`, workers: creator},
	{class: "changing a profile", method: `PUT`, path: v3 + `profile/.*`, workers: creator},
	{class: "reading a profile", method: `GET`, path: v3 + `profile/.*`, workers: slices.Concat(creator, readers)},

	{class: "main's own", method: `GET|POST`, path: v3 + `(pushers|thirdparty/.*|logout|rooms/[^/]+/forget|user/[^/]+/openid/.*)`, workers: mainProcess},

	{class: "login", method: `GET|POST`, path: v3 + `(login|register|register/available)`, workers: readers},
	{class: "room reads", method: `GET`, path: room + `(messages|context/.*|event/.*|members|joined_members|state)`, workers: readers},
	{class: "relations", method: `GET`, path: `/_matrix/client/v1/rooms/[^/]+/relations/.*`, workers: readers},
	{class: "keys", method: `GET|POST`, path: v3 + `(keys/(query|claim|changes)|room_keys/.*)`, workers: readers},
	{class: "filters", method: `GET|POST`, path: user + `filter.*`, workers: readers},
	{class: "alias", method: `GET`, path: v3 + `directory/room/.*`, workers: readers},
	{class: "client reads", method: `GET`, path: v3 + `(joined_rooms|account/whoami|account/3pid|capabilities|voip/turnServer|publicRooms|notifications)`, workers: readers},
	{class: "versions", method: `GET`, path: `/_matrix/client/versions`, workers: readers},

	{class: "federation", method: `GET`, path: `/_matrix/federation/v1/version`, workers: federation},
	{class: "server keys", method: `GET`, path: `/_matrix/key/v2/server`, workers: federation},
}

// expectationFor finds the class of a request, nil where there is none.
func expectationFor(r synapse.Request) *expectation {
	for n, e := range expectations {
		if whole(e.method, r.Method) && whole(e.path, r.Path) && regexp.MustCompile(e.query).MatchString(r.Query) {
			return &expectations[n]
		}
	}
	return nil
}

func whole(pattern, text string) bool {
	return regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(text)
}
