package demo

import (
	"strings"

	"axon/demo/standin"
)

// device is one device of a user, with its own access token.
type device struct {
	user  string // full user ID
	name  string
	token string
	// inQuery devices send the token as ?access_token=, as old clients do.
	inQuery bool
}

var localparts = []string{"alice", "bob", "carol", "dave", "erin", "frank"}

// cast gives each user a device with a token of Synapse's own form, which names its user, and one with an opaque token
// of the Matrix Authentication Service, which does not. Frank's second device puts its token into the query.
func cast() []device {
	all := make([]device, 0, 2*len(localparts))
	for _, name := range localparts {
		user := "@" + name + ":" + serverName
		all = append(all,
			device{user: user, name: "phone", token: standin.NativeToken(user)},
			device{user: user, name: "laptop", token: standin.OpaqueToken(), inQuery: name == "frank"},
		)
	}
	return all
}

// localpart gives "alice" of "@alice:example.org".
func localpart(user string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(user, "@"), ":")
	return name
}

// rooms are shown by their alias and addressed by their ID. The last is of room version 12, whose IDs have no domain.
var rooms = []struct{ alias, id string }{
	{"#lobby", "!pXqWvBnMkLoIuYtReW:" + serverName},
	{"#garden", "!aSdFgHjKlZxCvBnMqW:" + serverName},
	{"#kitchen", "!mNbVcXzLkJhGfDsApO:" + serverName},
	{"#attic", "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM"},
}

// spellings are the ways in which clients write one room ID in a path.
var spellings = []*strings.Replacer{
	strings.NewReplacer(),
	strings.NewReplacer("!", "%21"),
	strings.NewReplacer(":", "%3A"),
	strings.NewReplacer("!", "%21", ":", "%3A"),
	strings.NewReplacer("!", "%21", ":", "%3a"),
}

// origins are other homeservers.
var origins = []string{"oak.example", "elm.example", "ash.example"}

// signings are the ways in which servers write the Authorization header of a federation request; $O is the origin. The
// signature is not looked at by a stand-in.
var signings = []string{
	`X-Matrix origin="$O",destination="` + serverName + `",key="ed25519:1",sig="c3RhbmQtaW4"`,
	`X-Matrix origin=$O,destination=` + serverName + `,key="ed25519:1",sig="c3RhbmQtaW4"`,
	`X-Matrix key="ed25519:1", sig="c3RhbmQtaW4", origin="$O"`,
}
