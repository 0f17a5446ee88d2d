package table

import "regexp"

// Part is a part of Synapse's docs/workers.md.
type Part string

// The parts, as the documentation calls them, and the streams that it names endpoints for.
const (
	DocSync          Part = "sync"
	DocFederation    Part = "federation"
	DocInbound       Part = "inbound federation"
	DocClient        Part = "client"
	DocAdmin         Part = "admin"
	DocEncryption    Part = "encryption"
	DocLogin         Part = "login"
	DocEvents        Part = "event sending"
	DocUserDirectory Part = "user directory"
	DocDelayedEvents Part = "delayed events"
	DocMAS           Part = "delegated authentication"
	DocPushRules     Part = "push rules"
	DocAccountData   Part = "account data"
	DocPresence      Part = "presence"
	DocPagination    Part = "pagination"
	DocSSO           Part = "sso"
	DocMedia         Part = "media"
)

// DocStream is the part about a stream's writers.
func DocStream(stream string) Part { return Part("stream " + stream) }

// documented is a paragraph of the documentation.
type documented struct {
	part Part
	// get says that only reading is allowed to leave main.
	get     bool
	regexes []string
}

// paragraphs are what docs/workers.md of Synapse 1.163 lets leave main: "synapse.app.generic_worker", "Stream writers",
// "Updating the User Directory" and "synapse.app.media_repository". https://element-hq.github.io/synapse/latest/workers.html
var paragraphs = []documented{
	{DocSync, false, []string{
		`^/_matrix/client/(r0|v3)/sync$`, `^/_matrix/client/(api/v1|r0|v3)/events$`, `^/_matrix/client/(api/v1|r0|v3)/initialSync$`,
		`^/_matrix/client/(api/v1|r0|v3)/rooms/[^/]+/initialSync$`,
	}},
	{DocFederation, false, []string{
		`^/_matrix/federation/v1/version$`, `^/_matrix/federation/v1/(event|state|state_ids|backfill|get_missing_events)/`,
		`^/_matrix/federation/v1/publicRooms`, `^/_matrix/federation/v1/(query|make_join|make_leave)/`,
		`^/_matrix/federation/(v1|v2)/(send_join|send_leave|invite)/`, `^/_matrix/federation/v1/(make_knock|send_knock|event_auth)/`,
		`^/_matrix/federation/v1/(timestamp_to_event|exchange_third_party_invite|user/devices|hierarchy)/`, `^/_matrix/key/v2/query`,
	}},
	{DocInbound, false, []string{`^/_matrix/federation/v1/send/`}},
	{DocClient, false, []string{
		`^/_matrix/client/(api/v1|r0|v3|unstable)/(createRoom|publicRooms)$`,
		`^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/(joined_members|members|state)$`,
		`^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/(context/.*$|event/)`, `^/_matrix/client/v1/rooms/.*/(hierarchy|threads|timestamp_to_event)$`,
		`^/_matrix/client/(v1|unstable)/rooms/.*/relations/`, `^/_matrix/client/unstable/im.nheko.summary/summary/.*$`,
		`^/_matrix/client/v1/room_summary/.*$`, `^/_matrix/client/(r0|v3|unstable)/account/(3pid|whoami|deactivate)$`,
		`^/_matrix/client/(r0|v3)/delete_devices$`, `^/_matrix/client/(api/v1|r0|v3|unstable)/devices(/|$)`, `^/_matrix/client/versions$`,
		`^/_matrix/client/(api/v1|r0|v3|unstable)/(voip/turnServer|joined_rooms|search)$`,
		`^/_matrix/client/(api/v1|r0|v3|unstable/.*)/rooms/.*/aliases`, `^/_matrix/client/(r0|v3|unstable)/user/.*/filter(/|$)`,
		`^/_matrix/client/(api/v1|r0|v3|unstable)/directory/room/.*$`, `^/_matrix/client/(r0|v3|unstable)/(capabilities|notifications)$`,
	}},
	{DocAdmin, false, []string{`^/_synapse/admin/v1/rooms/[^/]+$`}},
	{DocAdmin, true, []string{`^/_synapse/admin/v2/users/[^/]+$`}},
	{DocEncryption, false, []string{
		`^/_matrix/client/(r0|v3|unstable)/keys/(query|changes|claim)$`, `^/_matrix/client/(r0|v3|unstable)/room_keys/`,
		`^/_matrix/client/(r0|v3|unstable)/keys/upload`, `^/_matrix/client/(api/v1|r0|v3|unstable)/keys/(device_signing|signatures)/upload$`,
	}},
	{DocLogin, false, []string{
		`^/_matrix/client/(api/v1|r0|v3|unstable)/login$`, `^/_matrix/client/(r0|v3|unstable)/(register|register/available|password_policy)$`,
		`^/_matrix/client/v1/register/m.login.registration_token/validity$`,
	}},
	{DocEvents, false, []string{
		`^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/(redact|send|state/)`,
		`^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/(join|invite|leave|ban|unban|kick)$`,
		`^/_matrix/client/(api/v1|r0|v3|unstable)/(join|knock|profile)/`,
	}},
	{DocUserDirectory, false, []string{`^/_matrix/client/(r0|v3|unstable)/user_directory/search$`}},
	{DocDelayedEvents, false, []string{`^/_matrix/client/unstable/org.matrix.msc4140/delayed_events(/[^/]+(/restart)?)?$`}},
	{DocMAS, false, []string{`^/_synapse/mas/`}},
	{DocPushRules, true, []string{`^/_matrix/client/(api/v1|r0|v3|unstable)/pushrules/`}},
	{DocAccountData, true, []string{`^/_matrix/client/(r0|v3|unstable)/.*/(tags|account_data)`}},
	{DocPresence, true, []string{`^/_matrix/client/(api/v1|r0|v3|unstable)/presence/`}},
	{DocPagination, false, []string{`^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/messages$`}},
	{DocSSO, false, []string{
		`^/_matrix/client/(api/v1|r0|v3|unstable)/login/sso/redirect`, `^/_synapse/client/(pick_idp|new_user_consent|sso_register)$`,
		`^/_synapse/client/pick_username`, `^/_synapse/client/oidc/callback$`, `^/_synapse/client/saml2/authn_response$`,
		`^/_matrix/client/(api/v1|r0|v3|unstable)/login/cas/ticket$`,
	}},
	{DocStream("typing"), false, []string{`^/_matrix/client/(api/v1|r0|v3|unstable)/rooms/.*/typing`}},
	{DocStream("to_device"), false, []string{`^/_matrix/client/(r0|v3|unstable)/sendToDevice/`}},
	{DocStream("account_data"), false, []string{`^/_matrix/client/(r0|v3|unstable)/.*/(tags|account_data)`}},
	{DocStream("receipts"), false, []string{`^/_matrix/client/(r0|v3|unstable)/rooms/.*/(receipt|read_markers)`}},
	{DocStream("presence"), false, []string{`^/_matrix/client/(api/v1|r0|v3|unstable)/presence/`}},
	{DocStream("push_rules"), false, []string{`^/_matrix/client/(api/v1|r0|v3|unstable)/pushrules/`}},
	{DocStream("device_lists"), false, []string{
		`^/_matrix/client/(r0|v3)/delete_devices$`, `^/_matrix/client/(api/v1|r0|v3|unstable)/devices(/|$)`,
		`^/_matrix/client/(r0|v3|unstable)/keys/upload`, `^/_matrix/client/(api/v1|r0|v3|unstable)/keys/(device_signing|signatures)/upload$`,
	}},
	{DocStream("quarantined_media_changes"), false, []string{
		`^/_synapse/admin/v1/quarantine_media/.*$`, `^/_synapse/admin/v1/(room|user)/.*/media/quarantine$`,
		`^/_synapse/admin/v1/media/(quarantine|unquarantine)/.*$`,
	}},
	{DocMedia, false, []string{
		`^/_matrix/media/`, `^/_matrix/client/v1/media/`, `^/_matrix/federation/v1/media/`, `^/_synapse/admin/v1/purge_media_cache$`,
		`^/_synapse/admin/v1/(room|user)/.*/media.*$`, `^/_synapse/admin/v1/media/.*$`, `^/_synapse/admin/v1/quarantine_media/.*$`,
		`^/_synapse/admin/v1/users/.*/media$`,
	}},
}

var compiled = func() map[string]*regexp.Regexp {
	all := map[string]*regexp.Regexp{}
	for _, p := range paragraphs {
		for _, regex := range p.regexes {
			all[regex] = regexp.MustCompile(regex)
		}
	}
	return all
}()

// Documented gives the parts of Synapse's documentation that let a request leave main.
func Documented(method, path string) (parts []Part) {
	for _, p := range paragraphs {
		if p.get && method != "GET" && method != "HEAD" {
			continue
		}
		for _, regex := range p.regexes {
			if compiled[regex].MatchString(path) {
				parts = append(parts, p.part)
				break
			}
		}
	}
	return parts
}
