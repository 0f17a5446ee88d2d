package plan

import (
	"axon/affinity"
	"axon/xds/topology"
)

// row is a line of the route table: what requests it takes and where they go.
type row struct {
	name     string
	methods  []string
	group    GroupName
	resource topology.Resource // what the worker's listener must have; none: the group's own
	affinity affinity.Affinity
	pace     Pace
	query    *Query
	admin    bool
	mended   bool
	// open are those of paths that Synapse serves to whoever asks, without a token, or judges itself; anything: all.
	open []string
	// learn says what can tell whose a new token is.
	learn Learn
	// identify asks for the user, or the appservice, though no affinity needs it.
	identify bool
	// appservice takes only the requests of appservices that have this group.
	appservice GroupName
	status     int
	reply      string
	paths      []string
}

// Synapse registers most client paths under these versions (rest/client/_base.py, client_patterns): c without v1, c1
// with it.
const (
	c  = "/_matrix/client/{r0,v3,unstable}/"
	c1 = "/_matrix/client/{api/v1,r0,v3,unstable}/"
	v1 = "/_matrix/client/v1/"
	un = "/_matrix/client/unstable/"
)

var (
	get       = []string{"GET", "HEAD"} // Synapse answers HEAD wherever it answers GET
	post      = []string{"POST"}
	put       = []string{"PUT"}
	putDelete = []string{"PUT", "DELETE"}
	postPut   = []string{"POST", "PUT"}
	anyMethod []string

	withPreflight = []string{"GET", "HEAD", "OPTIONS"}

	anything = []string{"/**"}
)

// table is the route table for Synapse 1.163, taken from the servlets that main and workers really register; first match
// wins. What no row takes goes to main, as far as it is under a prefix that Synapse serves to the public. What is open was
// taken from the same servlets: those that do not ask for the user (Auth.get_user_by_req), or only for one who is there.
var table = []row{
	// Synchronisation. An initial sync costs six to eight incremental ones: it gets its own workers.
	{name: "sync_full_state", methods: get, group: InitialSync, affinity: affinity.User, pace: Slow, query: &Query{"full_state", "true"}, paths: []string{c + "sync"}},
	{name: "sync", methods: get, group: Sync, affinity: affinity.User, pace: Poll, query: &Query{"since", ""}, paths: []string{c + "sync"}},
	{name: "sync_initial", methods: get, group: InitialSync, affinity: affinity.User, pace: Slow, paths: []string{c + "sync", c1 + "initialSync", c1 + "rooms/*/initialSync"}},
	{name: "events", methods: get, group: Sync, affinity: affinity.User, pace: Poll, paths: []string{c1 + "events"}},
	{name: "sliding_sync", methods: post, group: Sync, affinity: affinity.User, pace: Poll, query: &Query{"pos", ""}, paths: []string{un + "org.matrix.simplified_msc3575/sync"}},
	{name: "sliding_sync_initial", methods: post, group: InitialSync, affinity: affinity.User, pace: Slow, paths: []string{un + "org.matrix.simplified_msc3575/sync"}},

	// Stream writers. All but the last two answer 500 on any other process, GET of another user's presence included.
	{name: "typing", methods: put, group: Typing, paths: []string{c1 + "rooms/*/typing/*"}},
	{name: "to_device", methods: put, group: ToDevice, paths: []string{c + "sendToDevice/*/*"}},
	{name: "receipts", methods: post, group: Receipts, affinity: affinity.Room, paths: []string{c + "rooms/*/receipt/*/*", c + "rooms/*/read_markers"}},
	{name: "presence", methods: []string{"GET", "HEAD", "PUT"}, group: Presence, paths: []string{c1 + "presence/*/status"}},
	{name: "push_rules", methods: putDelete, group: PushRules, paths: []string{c1 + "pushrules/**"}},
	{name: "thread_subscriptions", methods: putDelete, group: ThreadSubscriptions, affinity: affinity.Room, paths: []string{un + "io.element.msc4306/rooms/*/thread/*/subscription"}},
	{name: "account_data", methods: putDelete, group: AccountData, paths: []string{
		c + "user/*/account_data/*", c + "user/*/rooms/*/account_data/*", c + "user/*/rooms/*/tags/*",
		un + "org.matrix.msc3391/user/*/{account_data/,rooms/}**",
	}},
	{name: "device_lists", methods: []string{"POST", "PUT", "DELETE"}, group: DeviceLists, paths: []string{
		c + "devices/*", c + "delete_devices", c + "keys/upload", c + "keys/signatures/upload",
		"/_matrix/client/{v3,unstable}/keys/device_signing/upload",
	}},

	// Rooms: what writes to one room goes through one process, and so does what reads its history.
	{name: "create_room", methods: postPut, group: EventCreator, affinity: affinity.User, pace: Slow, paths: []string{c1 + "createRoom", c1 + "createRoom/*"}},
	{name: "send", methods: postPut, group: EventCreator, affinity: affinity.Room, paths: []string{
		c1 + "rooms/*/send/*", c1 + "rooms/*/send/*/*", c1 + "rooms/*/redact/*", c1 + "rooms/*/redact/*/*",
		c1 + "rooms/*/{leave,ban,unban,kick}", c1 + "rooms/*/{leave,ban,unban,kick}/*",
	}},
	{name: "join", methods: postPut, group: EventCreator, affinity: affinity.Room, pace: Slow, paths: []string{
		c1 + "join/*", c1 + "join/*/*", c + "knock/*", c1 + "rooms/*/{join,invite}", c1 + "rooms/*/{join,invite}/*",
	}},
	{name: "send_state", methods: put, group: EventCreator, affinity: affinity.Room, paths: []string{c1 + "rooms/*/state/*", c1 + "rooms/*/state/*/*", c1 + "rooms/*/state/*/"}},
	{name: "set_profile", methods: putDelete, group: EventCreator, paths: []string{c1 + "profile/*/*", un + "uk.tcpip.msc4133/profile/*/*"}},
	{name: "delayed_event_restart", methods: post, group: EventCreator, open: anything, paths: []string{un + "org.matrix.msc4140/delayed_events/*/restart"}},
	{name: "room_reads", methods: get, group: ClientReader, affinity: affinity.Room, paths: []string{
		c1 + "rooms/*/{messages,members,joined_members,state}", c1 + "rooms/*/{context,event,state}/*", c1 + "rooms/*/state/*/*", c1 + "rooms/*/state/*/",
		"/_matrix/client/{r0,v3}/rooms/*/aliases", un + "org.matrix.msc2432/rooms/*/aliases",
		v1 + "rooms/*/{hierarchy,threads,timestamp_to_event}", "/_matrix/client/{v1,unstable}/rooms/*/relations/**",
		v1 + "room_summary/*", un + "im.nheko.summary/rooms/*/summary", un + "im.nheko.summary/summary/*",
		un + "io.element.msc4306/rooms/*/thread/*/subscription", un + "io.element.msc4502/rooms/*/is_joined",
	}, open: []string{v1 + "room_summary/*", un + "im.nheko.summary/rooms/*/summary", un + "im.nheko.summary/summary/*"}},

	// Other client requests that a worker serves.
	{name: "login", methods: post, group: Login, open: anything, learn: Answer, paths: []string{c1 + "login", c + "register"}},
	{name: "login_checks", methods: get, group: Login, open: anything, paths: []string{
		c1 + "login", c + "register/available", "/_matrix/client/{v1,unstable}/register/m.login.registration_token/validity", c + "password_policy",
	}},
	{name: "refresh", methods: post, group: Main, open: anything, learn: Both, paths: []string{c + "refresh"}},
	{name: "sso", methods: []string{"GET", "HEAD", "POST"}, group: SSO, open: anything, paths: []string{
		c1 + "login/{sso,cas}/redirect", "/_matrix/client/{r0,v3}/login/sso/redirect/*", c1 + "login/cas/ticket",
		"/_synapse/client/{pick_idp,new_user_consent,sso_register}", "/_synapse/client/{pick_username,oidc,saml2}/**", "/_matrix/saml2/**",
	}},
	{name: "user_directory", methods: post, group: UserDirectory, paths: []string{c + "user_directory/search"}},
	{name: "client_reads", methods: get, group: ClientReader, paths: []string{
		"/_matrix/client/versions", "/.well-known/matrix/{client,server,support}",
		c + "{account/whoami,account/3pid,capabilities,devices,keys/changes,notifications}", c + "devices/*",
		c1 + "{joined_rooms,publicRooms,voip/turnServer}", c1 + "events/*", c1 + "directory/room/*",
		c1 + "profile/*", c1 + "profile/*/*", un + "uk.tcpip.msc4133/profile/*/*",
		c1 + "pushrules/**", c + "room_keys/**", c + "user/*/filter/*",
		c + "user/*/account_data/*", c + "user/*/rooms/*/account_data/*", c + "user/*/rooms/*/tags",
		"/_matrix/client/{v1,unstable}/auth_metadata", un + "org.matrix.msc2965/auth_metadata",
		un + "org.matrix.msc4140/delayed_events", un + "org.matrix.msc4140/delayed_events/*",
		un + "org.matrix.msc3814.v1/dehydrated_device", un + "org.matrix.msc3814.v1/dehydrated_device/*/events",
		un + "io.element.msc4308/thread_subscriptions", un + "org.matrix.msc4143/rtc/transports",
		un + "org.matrix.msc1763/retention/configuration",
	}, open: []string{
		"/_matrix/client/versions", "/.well-known/matrix/{client,server,support}", c1 + "publicRooms", c1 + "directory/room/*",
		c1 + "profile/*", c1 + "profile/*/*", un + "uk.tcpip.msc4133/profile/*/*",
		"/_matrix/client/{v1,unstable}/auth_metadata", un + "org.matrix.msc2965/auth_metadata",
	}},
	{name: "client_posts", methods: post, group: ClientReader, paths: []string{
		c + "{keys/query,keys/claim,account/3pid,account/deactivate}", c1 + "{search,publicRooms}", c + "room_keys/version",
		c + "user/*/filter", "/_matrix/client/{v1,unstable}/appservice/*/ping",
		un + "org.matrix.msc3814.v1/dehydrated_device/*/events", un + "org.matrix.msc3983/keys/claim", un + "org.matrix.msc3720/account_status",
	}},
	{name: "client_writes", methods: putDelete, group: ClientReader, paths: []string{
		c + "room_keys/**", c1 + "directory/room/*", un + "org.matrix.msc3814.v1/dehydrated_device",
	}},

	// Media. A listener with the resource media serves it under all these prefixes.
	{name: "media", methods: anyMethod, group: Media, pace: Slow, open: openMedia, paths: mediaPaths},

	// Federation. Workers serve all of it; a remote server's transactions must keep their order.
	{name: "federation_send", methods: put, group: FederationInbound, open: anything, affinity: affinity.Origin, paths: []string{"/_matrix/federation/v1/send/*", "/_matrix/federation/v1/send/*/"}},
	{name: "federation_reads", methods: anyMethod, group: FederationReader, open: anything, pace: Slow, paths: []string{"/_matrix/federation/**"}},
	{name: "keys", methods: anyMethod, group: FederationReader, open: anything, resource: topology.Keys, paths: []string{"/_matrix/key/**"}},

	// The admin API, for a listener's synapse_admin only. Quarantine is written by its stream's writer, media by whoever keeps it.
	{name: "admin_quarantine", methods: post, group: QuarantinedMediaChanges, admin: true, open: anything, paths: []string{
		"/_synapse/admin/v1/{quarantine_media/,media/quarantine/,media/unquarantine/}**", "/_synapse/admin/v1/{room,user}/*/media/quarantine",
	}},
	{name: "admin_media", methods: anyMethod, group: Media, admin: true, open: anything, paths: []string{
		"/_synapse/admin/v1/{purge_media_cache,media/}**", "/_synapse/admin/v1/room/*/media", "/_synapse/admin/v1/users/*/media",
	}},
	{name: "admin_room", methods: []string{"GET", "HEAD", "DELETE"}, group: ClientReader, admin: true, open: anything, paths: []string{"/_synapse/admin/v1/rooms/*"}},
	{name: "admin_user", methods: get, group: ClientReader, admin: true, open: anything, paths: []string{"/_synapse/admin/v2/users/*"}},
	{name: "admin", methods: anyMethod, group: Main, admin: true, open: anything, paths: []string{"/_synapse/admin/**"}},

	// The rest. A preflight is answered by any process, also for paths that it does not serve.
	{name: "preflight", methods: []string{"OPTIONS"}, group: ClientReader, open: anything, paths: []string{"/_matrix/client/**"}},
	{name: "main", methods: anyMethod, group: Main, pace: Slow, paths: []string{"/_matrix/**", "/_synapse/client/**", "/.well-known/matrix/**", "/health"}, open: openMain},
}

// openMain is what of main's own goes on without a user. Synapse lets locked and expired users log out and renew.
var openMain = []string{
	"/_matrix/{static,consent}/**", "/_synapse/client/**", "/.well-known/matrix/**", "/health",
	c1 + "{logout,logout/all}", c + "account_validity/{renew,send_mail}", c + "auth/*/fallback/web",
	c + "{register,account/3pid,account/password}/{email,msisdn}/requestToken", c + "account/password",
	c1 + "directory/list/room/*", un + "{add_threepid,registration}/*/submit_token", un + "pushers/remove",
	un + "org.matrix.msc4140/delayed_events/*", un + "org.matrix.msc4140/delayed_events/*/{send,cancel}",
	un + "{org.matrix.msc4108,io.element.msc4388}/rendezvous", un + "{org.matrix.msc4108,io.element.msc4388}/rendezvous/**",
}

// delegatedTable stands before the table where the Matrix Authentication Service does logins: what that serves of
// Synapse's paths, exactly, under any version of one segment. It answers 404 without CORS headers for everything else.
var delegatedTable = []row{
	{name: "delegated_login", methods: post, group: DelegatedAuth, mended: true, open: anything, learn: Answer, paths: []string{"/_matrix/client/*/login"}},
	{name: "delegated_flows", methods: withPreflight, group: DelegatedAuth, mended: true, open: anything, paths: []string{"/_matrix/client/*/login"}},
	{name: "delegated_refresh", methods: post, group: DelegatedAuth, mended: true, open: anything, learn: Both, paths: []string{"/_matrix/client/*/refresh"}},
	{name: "delegated_logout", methods: []string{"POST", "OPTIONS"}, group: DelegatedAuth, mended: true, open: anything, paths: []string{"/_matrix/client/*/{logout,logout/all,refresh}"}},
	{name: "delegated_sso", methods: get, group: DelegatedAuth, mended: true, open: anything, paths: []string{"/_matrix/client/*/login/sso/{redirect,redirect/}", "/_matrix/client/*/login/sso/redirect/*"}},
}

// delegatedHostTable is a virtual host of the Matrix Authentication Service's own: its public resources (discovery, human,
// oauth, graphql, assets, in its own configuration's words), and for administrators adminapi; not health or metrics.
var delegatedHostTable = []row{
	{name: "delegated_admin", methods: anyMethod, group: DelegatedAuth, admin: true, open: anything, paths: []string{"/api/admin/**"}},
	{name: "delegated_host", methods: anyMethod, group: DelegatedAuth, open: anything, paths: []string{
		"/", "/.well-known/{openid-configuration,webfinger,change-password}", "/{authorize,login,logout,link,device,graphql,account,register,recover}",
		"/{authorize,consent,oauth2,device,account,register,recover,complete-compat-sso,upstream,assets,graphql}/**",
	}},
}

// wellKnownTable is a virtual host for the domain in the users' IDs alone.
var wellKnownTable = []row{
	{name: "well_known", methods: withPreflight, group: ClientReader, open: anything, paths: []string{"/.well-known/matrix/{server,client,support}"}},
}

// mediaRepoTable stands before the table where matrix-media-repo keeps the media.
var mediaRepoTable = []row{
	{name: "media_repo", methods: anyMethod, group: MediaRepo, pace: Slow, open: openMedia, paths: mediaPaths},
}

// mediaPaths are all ways to media, with and without authentication, and for other servers.
var mediaPaths = []string{
	"/_matrix/media/**", v1 + "media/**", un + "org.matrix.msc3916/media/**", "/_matrix/federation/{v1,unstable}/media/**",
}

// openMedia is what stands behind no login: the ways to media from before authenticated media, and for other servers.
var openMedia = []string{"/_matrix/media/*/{download,thumbnail}/**", "/_matrix/federation/{v1,unstable}/media/**"}

// leftovers is what Synapse does not show to the public, /_synapse/mas among it.
var leftovers = []row{
	{name: "not_found", methods: anyMethod, status: 404, paths: []string{"/**"}},
}
