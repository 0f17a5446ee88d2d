package identity

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAChainAsksUntilOneKnows(t *testing.T) {
	type says struct {
		id  Identity
		err error
	}
	elsewhere := fmt.Errorf("%w: %w", ErrTokenInactive, errElsewhere)
	bob, stranger := Identity{UserID: "@bob:hs"}, Identity{UserID: "@alice:elsewhere"}
	tests := map[string]struct {
		links []says
		want  Identity
		err   error
		asked []int
	}{
		"the first knows":                            {[]says{{alice, nil}, {bob, nil}}, alice, nil, []int{1, 0}},
		"the first cannot be asked":                  {[]says{{Identity{}, ErrUnavailable}, {bob, nil}}, bob, nil, []int{1, 1}},
		"the first is rested":                        {[]says{{Identity{}, errResting}, {bob, nil}}, bob, nil, []int{1, 1}},
		"the first says that another may know":       {[]says{{Identity{}, elsewhere}, {bob, nil}}, bob, nil, []int{1, 1}},
		"the first refuses":                          {[]says{{Identity{}, ErrUserLocked}, {bob, nil}}, Identity{}, ErrUserLocked, []int{1, 0}},
		"nobody can be asked":                        {[]says{{Identity{}, ErrUnavailable}, {Identity{}, errUnreachable}}, Identity{}, errUnreachable, []int{1, 1}},
		"nobody else is there who may know":          {[]says{{Identity{}, elsewhere}}, Identity{}, ErrTokenInactive, []int{1}},
		"who may know cannot be asked":               {[]says{{Identity{}, elsewhere}, {Identity{}, ErrUnavailable}}, Identity{}, ErrUnavailable, []int{1, 1}},
		"the user of another server is nobody":       {[]says{{stranger, nil}}, Identity{}, ErrUnavailable, []int{1}},
		"after the user of another server, the next": {[]says{{stranger, nil}, {bob, nil}}, bob, nil, []int{1, 1}},
		"no resolver at all":                         {nil, Identity{}, ErrUnavailable, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := chain{home: newTestHome("hs")}
			var all []*resolver
			for _, l := range test.links {
				all = append(all, answers(l.id, l.err, 0))
				c.links = append(c.links, all[len(all)-1])
			}
			got, err := c.Resolve(t.Context(), Request{Token: "t"})
			if !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("identity (-want +got):\n%s", diff)
			}
			var asked []int
			for _, r := range all {
				asked = append(asked, r.calls())
			}
			if diff := cmp.Diff(test.asked, asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUsersOfTheHomeserver(t *testing.T) {
	tests := map[string]struct {
		server, userID string
		want           bool
	}{
		"one of its users":                 {"hs", "@a:hs", true},
		"with a port":                      {"hs:8448", "@a:hs:8448", true},
		"of another port":                  {"hs", "@a:hs:8448", false},
		"of another server":                {"hs", "@a:elsewhere", false},
		"of a server that ends alike":      {"hs", "@a:other.hs", false},
		"of a server that begins alike":    {"hs", "@a:hs.example", false},
		"of a server behind another":       {"hs", "@a:elsewhere:hs", false},
		"everybody while there is no name": {"", "@a:elsewhere", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := newTestHome(test.server).has(test.userID); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
	if id, ok := newTestHome("hs").userID(strings.Repeat("a", 255)); ok {
		t.Errorf("%d bytes of a user ID", len(id))
	}
}
