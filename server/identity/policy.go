package identity

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"axon/affinity"
	"axon/yamlfile"
)

// Policy is what is done with an identity, or without one.
type Policy struct {
	// Enforce answers requests that need a user and have none with 401, as Synapse would; without it every request goes
	// on. It is for meshes where others trust the headers.
	Enforce bool `yaml:"enforce"`
	// FailOpen lets requests go on, under Enforce, when no resolver gave an answer; else they get 503.
	FailOpen bool `yaml:"fail_open"`
	// Headers are what Axon tells of the user.
	Headers Headers `yaml:"headers"`
}

// Headers names the headers that carry an identity; an empty name leaves one out. Clients' own copies never get through.
type Headers struct {
	User       string `yaml:"user"`       // the Matrix user ID; x-user-identifier
	Localpart  bool   `yaml:"localpart"`  // the user header holds the localpart only
	Device     string `yaml:"device"`     // the device ID
	Guest      string `yaml:"guest"`      // "true" for guests, else absent
	Appservice string `yaml:"appservice"` // the id of the appservice whose token it is
}

// DefaultPolicy refuses nobody and tells the Matrix user ID.
func DefaultPolicy() Policy { return Policy{Headers: Headers{User: affinity.UserHeader}} }

// Named are the headers that have a name, each once.
func (h Headers) Named() []string {
	var all []string
	for _, f := range h.fields() {
		if f.name != "" {
			all = append(all, f.name)
		}
	}
	return all
}

type headerField struct{ key, name string }

func (h Headers) fields() []headerField {
	return []headerField{{"user", h.User}, {"device", h.Device}, {"guest", h.Guest}, {"appservice", h.Appservice}}
}

// headerName bounds the dashes: each doubles the spellings that have to be taken away from requests.
var headerName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+){0,4}$`)

// taken are headers that mean something else to Envoy, Axon or Synapse.
var taken = regexp.MustCompile(`^(x-(axon|envoy)-.*|x-forwarded-.*|x-request-id|authorization|host|connection|cookie|content-.*|transfer-encoding|te|upgrade|user-agent)$`)

// validate gives every fault, each at its place in file, which may be nil.
func (p Policy) validate(file *yamlfile.File) error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, file.Errorf([]any{"identity", "headers", key}, "identity.headers.%s: %s", key, fmt.Sprintf(format, args...)))
	}
	seen := map[string]string{}
	for _, f := range p.Headers.fields() {
		switch {
		case f.name == "":
			continue
		case len(f.name) > 64 || !headerName.MatchString(f.name):
			fault(f.key, "%q: must be words of lower-case letters and digits with at most four dashes between them, as in x-user-identifier", f.name)
		case taken.MatchString(f.name):
			fault(f.key, "%q: has another meaning; choose another name", f.name)
		case seen[f.name] != "":
			fault(f.key, "%q: is the name of headers.%s, too", f.name, seen[f.name])
		}
		seen[f.name] = f.key
	}
	if p.FailOpen && !p.Enforce {
		faults = append(faults, file.Errorf([]any{"identity", "fail_open"}, "identity.fail_open: nothing is refused without identity.enforce: remove it, or set that, too"))
	}
	return errors.Join(faults...)
}

// Localpart is the part of a Matrix user ID between "@" and ":".
func Localpart(userID string) string {
	localpart, _, _ := strings.Cut(strings.TrimPrefix(userID, "@"), ":")
	return localpart
}
