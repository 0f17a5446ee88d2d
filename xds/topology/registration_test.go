package topology

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// registered loads a homeserver whose appservice has the registration.
func registered(t *testing.T, registration string, cfg Config) (*Topology, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"homeserver.yaml": "server_name: example.org\nlisteners: [{type: http, port: 8008, resources: [{names: [client]}]}]\napp_service_config_files: bridge.yaml\n",
		"bridge.yaml":     registration,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if registration == "" {
		_ = os.Remove(filepath.Join(dir, "bridge.yaml"))
	}
	cfg.Synapse.Config = []string{"homeserver.yaml"}
	return Load(cfg, nil, dir)
}

func TestWhomAnAppserviceMayBe(t *testing.T) {
	type answer struct{ allowed, known bool }
	yes, no, ask := answer{true, true}, answer{false, true}, answer{false, false}
	tests := map[string]struct {
		regexes string // of namespaces.users, a YAML list
		more    string
		userID  string
		want    answer
	}{
		"itself, by naming nobody":                       {"[]", "", "", yes},
		"itself, by its name":                            {"[]", "", "@bot:example.org", yes},
		"nobody else without a namespace":                {"[]", "", "@irc_x:example.org", no},
		"a user of its namespace":                        {`[{regex: '@irc_.*:example\.org', exclusive: true}]`, "", "@irc_x:example.org", yes},
		"one of a namespace that others may use":         {`[{regex: '@irc_.*', exclusive: false}]`, "", "@irc_x:example.org", yes},
		"the expression need not reach the end":          {`[{regex: '@irc', exclusive: true}]`, "", "@ircop:example.org", yes},
		"but has to fit from the beginning":              {`[{regex: 'irc_.*', exclusive: true}]`, "", "@irc_x:example.org", no},
		"alternatives have to, too":                      {`[{regex: '@a_.*|irc_', exclusive: true}]`, "", "@irc_x:example.org", no},
		"upper case is another":                          {`[{regex: '@irc_.*', exclusive: true}]`, "", "@IRC_x:example.org", no},
		"the second namespace":                           {`[{regex: '@a_.*', exclusive: true}, {regex: '@irc_.*', exclusive: true}]`, "", "@irc_x:example.org", yes},
		"nobody of aliases":                              {"[]", "  aliases: [{regex: '@irc_.*', exclusive: true}]\n", "@irc_x:example.org", no},
		"what looks ahead is Synapse's to read":          {`[{regex: '@(?!x)irc_.*', exclusive: true}]`, "", "@irc_x:example.org", ask},
		"nor does one that can be read help":             {`[{regex: '@irc_.*', exclusive: true}, {regex: '(?>a)', exclusive: true}]`, "", "@irc_x:example.org", ask},
		"itself is known all the same":                   {`[{regex: '@(?!x)irc_.*', exclusive: true}]`, "", "@bot:example.org", yes},
		"counts from none are not alike":                 {`[{regex: '@irc{,3}', exclusive: true}]`, "", "@irc{,3}:example.org", ask},
		"brackets within brackets are not alike":         {`[{regex: '@[[:alpha:]]', exclusive: true}]`, "", "@x:example.org", ask},
		"an old user ID with letters beyond ASCII":       {`[{regex: '@\w+:', exclusive: true}]`, "", "@zoë:example.org", ask},
		"with addresses that it may come from":           {`[{regex: '@irc_.*', exclusive: true}]`, "ip_range_whitelist: [192.0.2.0/24]\n", "@irc_x:example.org", ask},
		"another server's user, which the regex lets in": {`[{regex: '@irc_.*', exclusive: true}]`, "", "@irc_x:elsewhere.example", yes}, // identity refuses it
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			topo, err := registered(t, "id: irc\nas_token: as-secret\nsender_localpart: bot\nnamespaces:\n  users: "+tt.regexes+"\n"+tt.more, Config{})
			if err != nil || len(topo.Registrations) != 1 {
				t.Fatal(topo, err)
			}
			r := topo.Registrations[0]
			if allowed, known := r.May(tt.userID); (answer{allowed, known}) != tt.want {
				t.Errorf("allowed %v, known %v; want %v", allowed, known, tt.want)
			}
			if r.ID != "irc" || r.Token != sha256.Sum256([]byte("as-secret")) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestRegistrationsThatCanNotBeUsed(t *testing.T) {
	group := Config{Appservices: map[string]AppserviceConfig{"irc": {Group: "bridges"}}}
	tests := map[string]struct {
		registration  string
		cfg           Config
		warning, want string
	}{
		"a missing file is nothing":               {"", Config{}, "", ""},
		"but where the appservice has a group":    {"", group, "", "no such file"},
		"one without a token is warned of":        {"id: irc\n", Config{}, "Synapse is asked whose its token is", ""},
		"one of a wrong kind is, too":             {"id: irc\nas_token: as-secret\nnamespaces: [as-secret]\n", Config{}, "Synapse is asked", ""},
		"and a fault where the appservice counts": {"id: irc\n", group, "", "no registration of an appservice"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			topo, err := registered(t, tt.registration, tt.cfg)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v, want %q", err, tt.want)
				}
				return
			}
			if err != nil || len(topo.Registrations) != 0 {
				t.Fatal(topo, err)
			}
			var text []string
			for _, w := range topo.Warnings {
				text = append(text, w.Text)
				if strings.Contains(w.Text, "secret") {
					t.Errorf("the token is in %q", w.Text)
				}
			}
			if got := strings.Join(text, "\n"); !strings.Contains(got, tt.warning) || tt.warning == "" && got != "" {
				t.Errorf("warnings %q, want %q", got, tt.warning)
			}
		})
	}
}

func TestRegistrationsAreWatched(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "homeserver.yaml"), []byte("app_service_config_files: [a.yaml, b.yaml]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := Files(Config{Synapse: SynapseConfig{Config: []string{"homeserver.yaml"}}}, dir)
	for _, name := range []string{"a.yaml", "b.yaml"} {
		if !slices.Contains(files, filepath.Join(dir, name)) {
			t.Errorf("%s is not among %v", name, files)
		}
	}
}

// FuzzLikePython: no expression of a file's breaks Axon, and none fits but from the beginning.
func FuzzLikePython(f *testing.F) {
	f.Add("@irc_.*", "@irc_x:example.org")
	f.Add("a|b", "@ab:example.org")
	f.Add(")(", "@:")
	f.Fuzz(func(t *testing.T, pattern, userID string) {
		like, ok := likePython(pattern)
		if !ok {
			return
		}
		if at := like.FindStringIndex(userID); at != nil && at[0] != 0 {
			t.Errorf("%q fits %q from %d", pattern, userID, at[0])
		}
	})
}
