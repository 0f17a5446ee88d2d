package identity

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"regexp"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"axon/xds/topology"
)

func TestAppservicesThatSynapsesFilesKnow(t *testing.T) {
	bridge := topology.Registration{
		ID: "irc", Token: sha256.Sum256([]byte("as_token")), Sender: "@bot:hs", Users: []*regexp.Regexp{regexp.MustCompile(`\A(?:@irc_)`)},
	}
	puzzle := topology.Registration{ID: "odd", Token: sha256.Sum256([]byte("odd_token")), Sender: "@odd:hs"}
	tests := map[string]struct {
		enforce       bool
		token, userID string
		want          string
		err           error
		calls         int64
	}{
		"the appservice itself":                     {false, "as_token", "", "@bot:hs", nil, 0},
		"a user of its namespace":                   {false, "as_token", "@irc_x:hs", "@irc_x:hs", nil, 0},
		"a user of nobody's namespace":              {false, "as_token", "@alice:hs", "", ErrForbidden, 0},
		"another server's user":                     {false, "as_token", "@irc_x:elsewhere", "", ErrForbidden, 0},
		"what is no user ID is Synapse's to answer": {false, "as_token", "@irc_ x:hs", "", ErrForbidden, 1},
		"a namespace that only Synapse can read":    {false, "odd_token", "@odd_x:hs", "@odd_x:hs", nil, 1},
		"whose own user is known":                   {false, "odd_token", "", "@odd:hs", nil, 0},
		"a user's token":                            {false, "user_token", "", "@alice:hs", nil, 1},
		"a user's token with somebody's name":       {false, "user_token", "@irc_x:hs", "@alice:hs", nil, 1},
		"enforced, Synapse has the word":            {true, "as_token", "@irc_x:hs", "@irc_x:hs", nil, 1},
		"enforced, also for the appservice itself":  {true, "as_token", "", "@bot:hs", nil, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var main synapse
			asked := main.serve(t, nil, func(w http.ResponseWriter, r *http.Request) {
				token, as := r.Header.Get("Authorization"), r.URL.Query().Get("user_id")
				switch {
				case token == "Bearer user_token":
					as = "@alice:hs"
				case as == "":
					as = "@bot:hs"
				case as == "@irc_ x:hs":
					answerWith(403, `{"errcode":"M_FORBIDDEN"}`)(w, r)
					return
				}
				answerWith(200, `{"user_id":"`+as+`"}`)(w, r)
			})
			config := DefaultConfig()
			config.Enforce = tt.enforce
			f, err := New(t.Context(), Options{Config: config, Registerer: prometheus.NewRegistry()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			topo := topologyOf("hs", asked)
			topo.Registrations = []topology.Registration{bridge, puzzle}
			f.SetTopology(topo)
			for range 2 { // the second is remembered
				id, err := f.Resolve(t.Context(), Request{Token: tt.token, UserID: tt.userID})
				if id.UserID != tt.want || !errors.Is(err, tt.err) || id.Unverified {
					t.Errorf("%+v, %v; want %q, %v", id, err, tt.want, tt.err)
				}
			}
			if got := main.calls.Load(); got != tt.calls {
				t.Errorf("%d calls of whoami, want %d", got, tt.calls)
			}
			if _, err := f.Resolve(t.Context(), Request{Token: tt.token, UserID: "@irc_other:hs"}); tt.token == "as_token" && err != nil {
				t.Errorf("another user of the same token: %v", err)
			}
		})
	}
}
