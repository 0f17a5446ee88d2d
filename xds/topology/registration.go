package topology

import (
	"crypto/sha256"
	"errors"
	"path/filepath"
	"regexp"
	"strings"

	"axon/yamlfile"
)

// Registration is what an appservice may be, by its registration file.
type Registration struct {
	ID string
	// Token is the SHA-256 of its as_token. The token itself is not kept.
	Token [sha256.Size]byte
	// Sender is the full ID of the user that it is where it names none; empty where the file does not say enough.
	Sender string
	// Users are its namespaces of users, exclusive or not; nil, not empty, where only Synapse can tell (see May).
	Users []*regexp.Regexp
}

// registration is what Axon reads of a registration file (application service API, "Registration"; Synapse's
// config/appservice.py).
type registration struct {
	ID         string `yaml:"id"`
	Token      string `yaml:"as_token"`
	Sender     string `yaml:"sender_localpart"`
	Namespaces struct {
		Users []struct {
			Regex string `yaml:"regex"`
		} `yaml:"users"`
	} `yaml:"namespaces"`
	// Addresses is Synapse's own: from elsewhere the token is none.
	Addresses []string `yaml:"ip_range_whitelist"`
}

var errNoRegistration = errors.New("no registration of an appservice: it has no id or no as_token")

// registrations reads the files of app_service_config_files. Where no appservice has a group, those that can't be read
// are passed over: Synapse, which is asked then, knows them.
func (r *reader) registrations(cfg Config, config merged) []*yamlfile.File {
	named := config.file("app_service_config_files")
	if named == nil {
		return nil
	}
	var files []*yamlfile.File
	paths, err := registrationFiles(named)
	faults := []error{err}
	for i, path := range paths {
		f, err := yamlfile.Read(path)
		if err != nil {
			faults = append(faults, named.Errorf([]any{"app_service_config_files", i}, "app_service_config_files: %w", err))
			continue
		}
		files = append(files, f)
	}
	for _, err := range faults {
		if err != nil && len(cfg.Appservices) > 0 {
			r.faults = append(r.faults, err)
		}
	}
	return files
}

// registrationFiles are relative to the file that names them.
func registrationFiles(named *yamlfile.File) ([]string, error) {
	var hs struct {
		Files StringOrList `yaml:"app_service_config_files"`
	}
	if err := named.Decode(&hs); err != nil {
		return nil, err
	}
	var paths []string
	for _, path := range hs.Files {
		paths = append(paths, within(filepath.Dir(named.Name), path))
	}
	return paths, nil
}

// registrations are all that could be read. One with a fault matters only where an appservice has a group.
func (b *builder) registrations() map[string]Appservice {
	known := map[string]Appservice{}
	for _, f := range b.src.Registrations {
		var r registration
		err := f.Decode(&r)
		if err == nil && (r.ID == "" || r.Token == "") {
			err = f.Errorf(nil, "%w", errNoRegistration)
		}
		switch {
		case err == nil:
			whole := r.of(b.t.ServerName)
			b.t.Registrations = append(b.t.Registrations, whole)
			known[r.ID] = Appservice{ID: r.ID, Token: whole.Token, Source: f.At("id")}
		case len(b.cfg.Appservices) > 0:
			b.add(err)
		default:
			b.warn(f.At(), "%v; Synapse is asked whose its token is", reason(err))
		}
	}
	return known
}

// reason leaves out the place of a fault.
func reason(err error) error {
	var fault *yamlfile.Error
	if errors.As(err, &fault) {
		return fault.Err
	}
	return err
}

func (r registration) of(serverName string) Registration {
	whole := Registration{ID: r.ID, Token: sha256.Sum256([]byte(r.Token))}
	if r.Sender == "" || len(r.Addresses) > 0 {
		return whole
	}
	whole.Sender = "@" + r.Sender + ":" + serverName
	users := make([]*regexp.Regexp, 0, len(r.Namespaces.Users))
	for _, n := range r.Namespaces.Users {
		like, ok := likePython(n.Regex)
		if !ok {
			return whole
		}
		users = append(users, like)
	}
	whole.Users = users
	return whole
}

// May says whether the appservice may act as a user, as far as the file says: Synapse also wants the user to be
// registered. known is false where only Synapse can tell.
func (r Registration) May(userID string) (allowed, known bool) {
	if r.Sender == "" {
		return false, false
	}
	if userID == "" || userID == r.Sender {
		return true, true
	}
	if r.Users == nil || strings.ContainsFunc(userID, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return false, false
	}
	for _, users := range r.Users {
		if users.MatchString(userID) {
			return true, true
		}
	}
	return false, true
}

// likePython compiles what Synapse gives to Python's re.match: it has to fit from the beginning, not to the end. Python
// has more than Go (looking ahead and behind, references, atomic groups), which does not compile; ok is false for that,
// and for what the two read in different ways: "{,3}", and brackets within brackets. The classes \d, \w and \s and the
// ends $ and \b are alike in visible ASCII.
func likePython(pattern string) (_ *regexp.Regexp, ok bool) {
	for _, other := range []string{"{,", "[[", "[:", "(?U", `\Q`, `\p`, `\P`, `\C`} {
		if strings.Contains(pattern, other) {
			return nil, false
		}
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, false
	}
	like, err := regexp.Compile(`\A(?:` + pattern + `)`)
	return like, err == nil
}
