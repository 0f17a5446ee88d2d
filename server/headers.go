package server

import (
	"slices"
	"strings"

	"axon/affinity"
	"axon/server/identity"
)

// field is one of the headers that Axon may set.
type field int

const (
	userField field = iota
	keyField
	groupField
	deviceField
	guestField
	appserviceField
	fields // their number
)

// header is one to set.
type header struct{ name, value string }

// telling is how upstreams are told of an identity, worked out once from the configuration.
type telling struct {
	names     [fields]string // empty: not told
	localpart bool
	// removals are, for each set of fields that are set, the headers to take away: all others, in all their spellings.
	removals [1 << fields][]string
}

func newTelling(h identity.Headers) *telling {
	t := &telling{localpart: h.Localpart, names: [fields]string{h.User, affinity.KeyHeader, affinity.GroupHeader, h.Device, h.Guest, h.Appservice}}
	ours := append(t.names[:], affinity.UserHeader) // that some upstream may trust whatever name the configuration gives it
	for set := range t.removals {
		t.removals[set] = t.removed(ours, set)
	}
	return t
}

// removed are all spellings of names but those of the headers that are set.
func (t *telling) removed(names []string, set int) []string {
	var all []string
	for _, name := range names {
		for _, spelling := range spellings(name) {
			i := slices.Index(t.names[:], spelling)
			if (i < 0 || set&(1<<i) == 0) && !slices.Contains(all, spelling) {
				all = append(all, spelling)
			}
		}
	}
	return all
}

// spellings are what servers that read names as CGI does take for one and the same: each "-" may be a "_".
func spellings(name string) []string {
	if name == "" {
		return nil
	}
	head, tail, more := strings.Cut(name, "-")
	if !more {
		return []string{head}
	}
	var all []string
	for _, rest := range spellings(tail) {
		all = append(all, head+"-"+rest, head+"_"+rest)
	}
	return all
}

// told is what a request is given and what is taken from it.
type told struct {
	set    [fields]header
	n      int
	given  int // the fields that are set, a bit each
	remove []string
}

// tell says whose request it is: the user, the appservice, both or neither.
func (t *telling) tell(id identity.Identity, a Appservice) told {
	values := [fields]string{groupField: a.Group, appserviceField: a.ID}
	if key := affinity.UserKey(id.UserID); key != "" {
		values[userField], values[keyField], values[deviceField] = id.UserID, key, id.DeviceID
		if t.localpart {
			values[userField] = identity.Localpart(id.UserID)
		}
		if id.Guest {
			values[guestField] = "true"
		}
	}
	var out told
	for f, value := range values {
		if value != "" && t.names[f] != "" { // an empty user would put all those requests onto one worker
			out.set[out.n] = header{t.names[f], value}
			out.n++
			out.given |= 1 << f
		}
	}
	out.remove = t.removals[out.given]
	return out
}

func (t *told) headers() []header { return t.set[:t.n] }
