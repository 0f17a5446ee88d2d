package identity

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/allegro/bigcache/v3"
	"github.com/google/go-cmp/cmp"
)

func newTestStore(t *testing.T, life time.Duration, hasher bigcache.Hasher) store {
	t.Helper()
	s, err := newStore(1, life, hasher)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStoreGivesBackWhatWasPut(t *testing.T) {
	s := newTestStore(t, time.Hour, nil)
	entries := map[string]entry{
		"a user":                  {verdict: found, identity: Identity{UserID: "@a:hs", DeviceID: "DEVICE"}, epoch: 1 << 40},
		"a guest":                 {verdict: always, identity: Identity{UserID: "@1:hs", DeviceID: "D", Guest: true}},
		"an application service":  {verdict: found, identity: Identity{UserID: "@irc:hs"}},
		"an unknown token":        {verdict: unknown},
		"the longest of user IDs": {verdict: found, identity: Identity{UserID: "@" + strings.Repeat("a", 251) + ":hs", DeviceID: "D", Guest: true}},
	}
	for key, e := range entries {
		if err := s.put(key, e, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	for key, want := range entries {
		got, ok := s.get(key)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(entry{})); !ok || diff != "" {
			t.Errorf("%s: found %v (-want +got):\n%s", key, ok, diff)
		}
	}
}

type oneHash struct{}

func (oneHash) Sum64(string) uint64 { return 42 }

func TestKeysOfOneHashAreNotMixedUp(t *testing.T) {
	s := newTestStore(t, time.Hour, oneHash{})
	_ = s.put("alice's", entry{identity: Identity{UserID: "@alice:hs"}}, time.Hour)
	if e, ok := s.get("bob's"); ok {
		t.Errorf("bob's token is %s's", e.identity.UserID)
	}
	_ = s.put("bob's", entry{identity: Identity{UserID: "@bob:hs"}}, time.Hour)
	if e, ok := s.get("alice's"); ok {
		t.Errorf("alice's token is %s's", e.identity.UserID)
	}
}

func TestEntriesEndOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestStore(t, 10*time.Second, nil)
		_ = s.put("k", entry{verdict: unknown}, 1500*time.Millisecond)
		time.Sleep(1499 * time.Millisecond)
		if _, ok := s.get("k"); !ok {
			t.Error("gone before its time")
		}
		time.Sleep(time.Millisecond)
		if _, ok := s.get("k"); ok {
			t.Error("still there after its time")
		}
		time.Sleep(30 * time.Second)
		if n := s.Len(); n != 0 {
			t.Errorf("%d entries are kept though their time is over", n)
		}
	})
}

func TestAFullStoreStaysWithinItsBoundAndRight(t *testing.T) {
	s := newTestStore(t, time.Hour, nil)
	user := func(i int) string { return fmt.Sprintf("@user%d:hs", i) }
	for i := range 50_000 {
		if err := s.put(fmt.Sprintf("%032d", i), entry{identity: Identity{UserID: user(i)}}, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if size := s.Capacity(); size > 1<<20 {
		t.Errorf("%d bytes", size)
	}
	kept := 0
	for i := range 50_000 {
		e, ok := s.get(fmt.Sprintf("%032d", i))
		if ok && e.identity.UserID != user(i) {
			t.Fatalf("%s became %s", user(i), e.identity.UserID)
		}
		if ok {
			kept++
		}
	}
	if kept < 5000 {
		t.Errorf("only %d are kept", kept)
	}
	if _, ok := s.get(fmt.Sprintf("%032d", 49_999)); !ok {
		t.Error("the newest is gone")
	}
}
