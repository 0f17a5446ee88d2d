package identity

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestEndings(t *testing.T) {
	of := func(user string, epoch uint64) entry { return entry{identity: Identity{UserID: user}, epoch: epoch} }
	e := newEndings(time.Hour)
	before := e.now()
	e.end("token")
	e.end("@alice:hs")
	after := e.now()
	tests := map[string]struct {
		entry entry
		token string
		want  bool
	}{
		"an entry of the token from before":         {of("@bob:hs", before), "token", true},
		"an entry of the token from afterwards":     {of("@bob:hs", after), "token", false},
		"an entry of the user from before":          {of("@alice:hs", before), "other", true},
		"an entry of the user from between the two": {of("@alice:hs", before+1), "other", true},
		"an entry of the user from afterwards":      {of("@alice:hs", after), "other", false},
		"an entry of nobody's":                      {of("@bob:hs", before), "other", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := e.void(test.entry, test.token); got != test.want {
				t.Errorf("void %v, want %v", got, test.want)
			}
		})
	}
	e.all()
	if !e.void(of("@bob:hs", after), "other") || e.void(of("@alice:hs", e.now()), "token") {
		t.Error("all that was is void, and nothing that comes")
	}
}

func TestEndingsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndings(time.Hour)
		other := entry{identity: Identity{UserID: "@other:hs"}}
		fill := func(from, to int) {
			for i := from; i < to; i++ {
				e.end(fmt.Sprintf("@user%d:hs", i))
			}
		}
		fill(0, maxMarks)
		time.Sleep(time.Hour + time.Second)
		e.end("@alice:hs")
		if e.void(other, "t") || len(e.marks) != 1 {
			t.Errorf("marks that outlived all entries: %d are kept, or everything was voided", len(e.marks))
		}
		fill(0, maxMarks)
		if !e.void(other, "t") || len(e.marks) > maxMarks {
			t.Errorf("%d marks, or those dropped void nothing", len(e.marks))
		}
		if e.void(entry{identity: other.identity, epoch: e.now()}, "t") {
			t.Error("a new entry is void")
		}
	})
}

func TestEndingsWhileEntriesAreRead(t *testing.T) {
	e := newEndings(time.Hour)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 1000 {
				switch i {
				case 0:
					e.end("@alice:hs")
				case 1:
					e.all()
				default:
					was := e.now()
					e.end(fmt.Sprint(i))
					if !e.void(entry{epoch: was}, fmt.Sprint(i)) {
						t.Errorf("entry %d is not void", n)
					}
				}
			}
		})
	}
	all.Wait()
}
