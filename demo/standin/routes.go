package standin

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Kind is what a request is about.
type Kind string

// The kinds that stand-ins tell apart.
const (
	Health             Kind = "health"
	Versions           Kind = "versions"
	Whoami             Kind = "whoami"
	Login              Kind = "login"
	Sync               Kind = "sync"
	InitialSync        Kind = "initial_sync"
	SlidingSync        Kind = "sliding_sync"
	InitialSlidingSync Kind = "initial_sliding_sync"
	Send               Kind = "send"
	Messages           Kind = "messages"
	Typing             Kind = "typing"
	Receipts           Kind = "receipts"
	ToDevice           Kind = "to_device"
	PushRules          Kind = "push_rules"
	ThreadSubscription Kind = "thread_subscription"
	Presence           Kind = "presence"
	Quarantine         Kind = "quarantine"
	MediaFiles         Kind = "media"
	UserDirectory      Kind = "user_directory"
	FederationSend     Kind = "federation_send"
	FederationVersion  Kind = "federation_version"
	MainOnly           Kind = "main_only"
	Other              Kind = "other"
)

// route says how a process answers the requests that match: the first route that matches decides, as in Synapse.
type route struct {
	kind    Kind
	methods string // separated by spaces; empty for any
	path    *regexp.Regexp
	// stream is the strict stream that the request writes (for presence: reads); only its writers answer.
	stream string
	// token marks requests that are refused without a known token.
	token bool
	// answer gives the JSON of a 200; nil for {}.
	answer func(*Worker, *http.Request, string) any
}

const versions = `/_matrix/client/(?:api/v1|r0|v1|v3|unstable(?:/[^/]+)?)`

var (
	room = client(`/rooms/[^/]+`)
	// Of these Synapse's workers register nothing; see the facts that docs/workers.md of 1.163 leaves out.
	mainOnly = `/_matrix/client/[^/]+/(?:logout(?:/all)?|refresh|pushers(?:/set)?|account/password|thirdparty/.+|` +
		`directory/list/.+|account/3pid/(?:add|bind|delete|unbind)|login/get_token|` +
		`rooms/[^/]+/(?:forget|upgrade|report)(?:/.+)?|` +
		`user/[^/]+/openid/request_token|(?:.+/)?requestToken|auth/.+/fallback/web)|/_matrix/(?:static|consent)(?:/.*)?`
)

var routes = []route{
	{kind: Health, path: whole(`/health`)},
	{kind: Versions, methods: "GET HEAD", path: whole(`/_matrix/client/versions`), answer: clientVersions},
	{kind: Whoami, methods: "GET HEAD", path: whole(client(`/account/whoami`))},
	{kind: Login, methods: "GET HEAD", path: whole(client(`/login`)), answer: loginFlows},
	{kind: Login, methods: "POST", path: whole(client(`/login`)), answer: login},
	{kind: Sync, methods: "GET HEAD", path: whole(client(`/sync`)), token: true, answer: syncNow},
	{kind: InitialSync, methods: "GET HEAD", path: whole(client(`(?:/rooms/[^/]+)?/initialSync`)), token: true},
	{kind: SlidingSync, methods: "POST", path: whole(client(`/sync`)), token: true, answer: slidingSync},
	{kind: Send, methods: "PUT POST", path: whole(room + `/send/.+`), token: true, answer: event},
	{kind: Messages, methods: "GET HEAD", path: whole(room + `/messages`), token: true, answer: messages},
	{kind: Typing, methods: "PUT", path: whole(room + `/typing/[^/]+`), stream: "typing", token: true},
	{kind: Receipts, methods: "POST", path: whole(room + `/(?:receipt/.+|read_markers)`), stream: "receipts", token: true},
	{
		kind: ThreadSubscription, methods: "PUT DELETE", path: whole(room + `/thread/[^/]+/subscription`),
		stream: "thread_subscriptions", token: true,
	},
	{kind: ToDevice, methods: "PUT", path: whole(client(`/sendToDevice/.+`)), stream: "to_device", token: true},
	{kind: PushRules, methods: "PUT DELETE", path: whole(client(`/pushrules/.+`)), stream: "push_rules", token: true},
	{kind: Presence, methods: "GET HEAD", path: whole(client(`/presence/[^/]+/status`)), stream: "presence", token: true},
	{kind: UserDirectory, methods: "POST", path: whole(client(`/user_directory/search`)), token: true, answer: users},
	{kind: Quarantine, methods: "POST", path: whole(`/_synapse/admin/v1/.*quarantine.*`), stream: "quarantined_media_changes"},
	{kind: MediaFiles, methods: "POST", path: whole(`/_matrix/media/[^/]+/(?:upload|create)`), token: true, answer: upload},
	{kind: MediaFiles, path: whole(`/_matrix/(?:media|client/[^/]+/media|federation/v1/media)/.+`)},
	{kind: FederationSend, methods: "PUT", path: whole(`/_matrix/federation/v1/send/[^/]+`), answer: transaction},
	{kind: FederationVersion, methods: "GET HEAD", path: whole(`/_matrix/federation/v1/version`), answer: serverVersion},
	{kind: MainOnly, path: whole(mainOnly)},
	{kind: MainOnly, methods: "POST", path: whole(client(`/delayed_events/.+`))},
	{kind: Other, path: whole(`/_matrix/.*|/_synapse/.*|/\.well-known/matrix/.*`)},
}

// client gives the pattern of a client path in every version that clients have used.
func client(path string) string { return versions + path }

func whole(pattern string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + pattern + `)$`) }

func (rt *route) matches(method, path string) bool {
	return (rt.methods == "" || slices.Contains(strings.Fields(rt.methods), method)) && rt.path.MatchString(path)
}

// routeFor gives nil for a path that no Synapse process knows. It reads the path as it arrived: Synapse decodes nothing
// before it has chosen a servlet.
func routeFor(r *http.Request) *route {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	for i := range routes {
		if routes[i].matches(r.Method, path) {
			return &routes[i]
		}
	}
	return nil
}

// kindOf tells an initial sync, which asks for everything, from an incremental one.
func kindOf(rt *route, q url.Values) Kind {
	switch {
	case rt.kind == Sync && (!q.Has("since") || q.Get("full_state") == "true"):
		return InitialSync
	case rt.kind == SlidingSync && !q.Has("pos"):
		return InitialSlidingSync
	}
	return rt.kind
}

// needs gives the resource that the listener must have for a path, and whether the media repository must be loaded.
func needs(path string) (resource string, mediaRepo bool) {
	switch {
	case path == "/health":
		return "", false
	case strings.HasPrefix(path, "/_matrix/media/"):
		return Media, true
	case strings.HasPrefix(path, "/_matrix/key/"):
		return Keys, false
	case strings.HasPrefix(path, "/_matrix/federation/"):
		return Federation, strings.HasPrefix(path, "/_matrix/federation/v1/media/")
	}
	return Client, strings.HasPrefix(path, "/_matrix/client/v1/media/") || strings.Contains(path, "quarantine")
}
