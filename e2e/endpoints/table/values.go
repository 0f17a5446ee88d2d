package table

import "slices"

var (
	rooms = []string{
		"!r:example.org", "%21r%3Aexample.org", "!r%3Aexample.org", "!r:example.org:8448", // what clients make of it
		"!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", "%2131hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", // room version 12
	}
	aliases = []string{"%23a:example.org", "%23a%3Aexample.org", "%23a%2Fb%3Aexample.org"}
	users   = []string{"@u:example.org", "%40u%3Aexample.org", "@u%2Fv:example.org"}
	events  = []string{
		"$31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", "%2431hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM",
		"$e:example.org", "%24e%3Aexample.org",
	}
	// transactions look like other endpoints, as a client may make them.
	transactions = []string{"m1763713000123.1", "login", "logout", "a%2Fb", "sync"}
	servers      = []string{"example.org", "example.org:8448", "%5B2001:db8::1%5D:8448"}
)

// known is what stands for a group of a pattern, by its name. Synapse compares the raw path: an encoded slash is data.
var known = map[string][]string{
	segment:             {"x1", "a%2Fb"},
	"":                  {"", "a", "a/b"}, // whatever follows
	"path":              {"", "global/", "global/override/.m.rule.master/enabled", "global/content/a%2Fb"},
	"room_id":           rooms,
	"room_identifier":   slices.Concat(rooms, aliases),
	"room_alias":        aliases,
	"user_id":           users,
	"target_user_id":    users,
	"event_id":          events,
	"parent_id":         events,
	"thread_root_id":    events,
	"event_type":        {"m.room.message", "m.room.encrypted", "org.example.a%2Fb"},
	"state_key":         {"@u:example.org", "", "%40u%3Aexample.org", "a%2Fb"},
	"txn_id":            transactions,
	"transaction_id":    transactions,
	"server_name":       servers,
	"server":            servers,
	"destination":       servers,
	"key_id":            {"ed25519:auto", "ed25519%3Aauto"},
	"account_data_type": {"m.direct", "im.vector.a%2Fb"},
	"tag":               {"m.favourite", "u.Work%20%2F%20other"},
	"receipt_type":      {"m.read", "m.read.private"},
	"relation_type":     {"m.thread", "m.annotation"},
	"message_type":      {"m.room.encrypted", "m.room_key_request"},
	"query_type":        {"directory", "profile"},
	"stagetype":         {"m.login.recaptcha"},
	"idp_id":            {"oidc-example"},
	"file_name":         {"a%20b.png", "%C3%A4%2F.jpg"},
	"field_name":        {"displayname", "m.tz", "org.example.a%2Fb"},
	"device_id":         {"DEVICE", "a%2Fb"},
	"membership_action": {"join"},
	"session_id":        {"s1", "a%2Fb%3D"},
	"medium":            {"email"},
	"address":           {"u%40example.org"},
}

// segment is the name of places that have none.
const segment = "segment"

// values are what can stand for a group, the usual first.
func values(name string) []string {
	if v, ok := known[name]; ok {
		return v
	}
	return known[segment]
}
