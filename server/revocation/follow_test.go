package revocation

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	channel = "axon.test"
	logout  = `RDATA caches master 19 ["get_user_by_access_token",["secret"],1795251474843]`
)

// following is a Follow under test.
type following struct {
	Options
	notes *notes
	log   *output
	reg   *prometheus.Registry
	end   func()
}

// follow follows until the test ends.
func follow(t *testing.T, o Options, timing timing) *following {
	t.Helper()
	f := &following{notes: &notes{}, log: &output{}, reg: prometheus.NewRegistry()}
	o.Channel, o.Forgetter, o.Log, o.Registerer = channel, f.notes, f.log.logger(), f.reg
	f.Options = o
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	quiet()
	go func() {
		defer close(done)
		newFollower(ctx, o, timing).run(ctx)
	}()
	f.end = func() { cancel(); <-done }
	t.Cleanup(f.end)
	return f
}

func (f *following) connected(t *testing.T, times float64) {
	t.Helper()
	eventually(t, "the follower is connected", func() bool {
		return value(t, f.reg, "axon_revocation_connected", "") == 1 &&
			value(t, f.reg, "axon_revocation_flushes_total", "connected") == times
	})
}

func TestFollow(t *testing.T) {
	s := startRedis(t)
	f := follow(t, Options{Address: s.address()}, usual)
	f.connected(t, 1)
	c := s.client(t, "", "")
	publish(t, c, channel+"/USER_IP", `USER_IP @u5:host ["another","127.0.0.1","agent","D",1]`)
	publish(t, c, channel, `POSITION events master 5 5`)
	publish(t, c, channel, `RDATA caches master 7 ["get_user_locked_status",["@a:x"],1]`)
	publish(t, c, channel, logout)
	eventually(t, "the token is forgotten", func() bool { return f.notes.count("token secret") > 0 })
	if diff := cmp.Diff([]string{"flush", "user @a:x", "token secret"}, f.notes.all()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := value(t, f.reg, "axon_revocation_events_total", "other"); got != 1 {
		t.Errorf("%v other lines, want 1: that about USER_IP must not arrive", got)
	}
	channels, err := c.PubSubChannels(t.Context(), "*").Result()
	if err != nil || !cmp.Equal(channels, []string{channel}) {
		t.Errorf("subscribed to %v (%v), want only %s", channels, err, channel)
	}
	patterns, err := c.PubSubNumPat(t.Context()).Result()
	if err != nil || patterns != 0 {
		t.Errorf("subscribed to %d patterns (%v)", patterns, err)
	}
	f.end()
	if got := value(t, f.reg, "axon_revocation_connected", ""); got != 0 {
		t.Error("still connected after the end")
	}
	if strings.Contains(f.log.String(), "secret") {
		t.Errorf("the log holds a token:\n%s", f.log)
	}
}

func TestFollowWaitsForRedis(t *testing.T) {
	s := startRedis(t)
	s.kill(t)
	f := follow(t, Options{Address: s.address()}, usual)
	eventually(t, "the log says what it means", func() bool {
		return strings.Contains(f.log.String(), "logouts are noticed only when entries expire")
	})
	s.start(t)
	f.connected(t, 1)
}

func TestFollowReconnects(t *testing.T) {
	s := startRedis(t)
	timing := usual
	timing.settling = time.Millisecond
	f := follow(t, Options{Address: s.address()}, timing)
	f.connected(t, 1)
	s.kill(t)
	eventually(t, "the follower knows", func() bool { return value(t, f.reg, "axon_revocation_connected", "") == 0 })
	eventually(t, "the follower says so", func() bool { return strings.Contains(f.log.String(), "level=WARN") })
	s.start(t)
	f.connected(t, 2)
	publish(t, s.client(t, "", ""), channel, logout)
	eventually(t, "the token is forgotten", func() bool { return f.notes.count("token secret") > 0 })
	eventually(t, "all is forgotten again when Synapse is back too", func() bool {
		return value(t, f.reg, "axon_revocation_flushes_total", "settled") == 1
	})
	if strings.Count(f.log.String(), "level=WARN") > 2 { // the lost connection, and the refused ones
		t.Errorf("each attempt was told of:\n%s", f.log)
	}
}

func TestFollowLeavesAHungRedis(t *testing.T) {
	s := startRedis(t)
	timing := usual
	timing.pingEvery, timing.silence = 20*time.Millisecond, 500*time.Millisecond
	f := follow(t, Options{Address: s.address()}, timing)
	f.connected(t, 1)
	if err := syscall.Kill(s.process.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the follower knows", func() bool { return value(t, f.reg, "axon_revocation_connected", "") == 0 })
	if err := syscall.Kill(s.process.PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the follower is back", func() bool { return value(t, f.reg, "axon_revocation_connected", "") == 1 })
}

// TestFollowNeedsFewRights: a user of Redis who may do nothing but listen to Synapse's channel.
func TestFollowNeedsFewRights(t *testing.T) {
	s := startRedis(t, "--requirepass", "root", "--user", "axon", "on", ">first", ">second", "resetchannels", "&"+channel, "-@all", "+subscribe", "+ping")
	var password atomic.Value
	password.Store("wrong")
	credentials := func() (string, string, error) {
		if p := password.Load().(string); p != "" {
			return "axon", p, nil
		}
		return "", "", errors.New("homeserver.yaml: no such file")
	}
	timing := usual
	timing.pingEvery = 20 * time.Millisecond
	f := follow(t, Options{Address: s.address(), Credentials: credentials}, timing)
	eventually(t, "a wrong password is told of", func() bool { return strings.Contains(f.log.String(), "WRONGPASS") })
	password.Store("")
	eventually(t, "a missing file is told of", func() bool { return strings.Contains(f.log.String(), "no such file") })
	password.Store("first")
	f.connected(t, 1)

	password.Store("second")
	root := s.client(t, "", "root")
	if err := root.Do(t.Context(), "acl", "setuser", "axon", "<first").Err(); err != nil {
		t.Fatal(err)
	}
	if err := root.Do(t.Context(), "client", "kill", "user", "axon").Err(); err != nil {
		t.Fatal(err)
	}
	f.connected(t, 2)
	publish(t, root, channel, logout)
	eventually(t, "the token is forgotten", func() bool { return f.notes.count("token secret") > 0 })
	for _, secret := range []string{"secret", "first", "second"} {
		if strings.Contains(f.log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, f.log)
		}
	}
}

func TestFollowWithoutARight(t *testing.T) {
	s := startRedis(t, "--user", "default", "on", "nopass", "resetchannels", "&another", "+@all")
	f := follow(t, Options{Address: s.address()}, usual)
	eventually(t, "it is told of", func() bool { return strings.Contains(f.log.String(), "NOPERM") })
}

func TestFollowRefusesHalfOfTheOptions(t *testing.T) {
	whole := Options{Address: "127.0.0.1:1", Channel: channel, Forgetter: &notes{}, Log: (&output{}).logger()}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Follow(ended, whole); err != nil {
		t.Errorf("all options: %v", err)
	}
	for name, spoil := range map[string]func(*Options){
		"address":   func(o *Options) { o.Address = "" },
		"channel":   func(o *Options) { o.Channel = "" },
		"forgetter": func(o *Options) { o.Forgetter = nil },
		"log":       func(o *Options) { o.Log = nil },
	} {
		o := whole
		spoil(&o)
		if Follow(ended, o) == nil {
			t.Errorf("without %s: no error", name)
		}
	}
}
