// Package revocation makes a logout effective at once: it listens to what Synapse's processes tell each other through
// Redis, and has the identities forgotten that ended.
//
// Every process of Synapse publishes on the channel <server_name> which entries of its caches are no longer true, one
// line a message (synapse/replication/tcp/commands.py, class CachesStream in streams/_base.py). Three of those caches
// are about tokens:
//
//   - get_user_by_access_token names a token: logout, device deletion, password change, deactivation;
//   - get_user_locked_status names a user: locked or unlocked;
//   - get_device names a user alone when devices were deleted, which under delegated authentication is all that a logout
//     says. With a device beside the user it is a login or a new name for the device, and ends nothing.
//
// Refreshed and expired tokens are not announced; the time to live of an entry bounds those. The channel
// <server_name>/USER_IP, on which everybody's tokens pass, is never subscribed to.
//
// What was published while nobody listened is lost, so everything is forgotten when Follow connects, and when the
// positions that the processes tell show that lines are missing. Redis out of reach means only that the end of a token
// is noticed late.
package revocation

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Forgetter is what remembers tokens. Its methods are called one at a time or at the same time, for tokens and users
// that it may never have heard of, and more than once for the same.
type Forgetter interface {
	Forget(token string)
	ForgetUser(userID string)
	// Flush forgets everything.
	Flush()
}

// Options say whom to follow and what to do.
type Options struct {
	// Address is that of Synapse's Redis, "host:port" or "unix:/path". Its number of the database does not matter:
	// channels belong to all of them.
	Address string
	// TLS is nil for a plain connection. An empty ServerName is filled in from Address.
	TLS *tls.Config
	// Credentials is asked before each connection, so that a new password needs no restart; nil means none. A user
	// without a password is not sent.
	Credentials func() (user, password string, err error)
	// Channel is Synapse's server_name.
	Channel   string
	Forgetter Forgetter
	// Log gets no line of the channel, and no part of one.
	Log *slog.Logger
	// Registerer may be nil, or one that has the metrics of an earlier Follow.
	Registerer prometheus.Registerer
}

// timing is how long things take.
type timing struct {
	// again is when what was forgotten is forgotten once more: a worker that had not yet read the line may have vouched
	// for the token in between (seen: for up to 150 ms), or a lookup may have been under way.
	again time.Duration
	// settling is how long Synapse's processes may need until they are back at a Redis that was away: they try every 10 s
	// (maxDelay in txredisapi.py), and what ends in the meantime they tell nobody.
	settling time.Duration
	// pingEvery and silence tell a connection that is dead from one on which nothing happens.
	pingEvery, silence time.Duration
}

var usual = timing{again: 2 * time.Second, settling: 20 * time.Second, pingEvery: 10 * time.Second, silence: 25 * time.Second}

// answerLimit bounds each step of connecting.
const answerLimit = 5 * time.Second

// Follow keeps o.Forgetter true until ctx ends; it reconnects for ever. The error is nil when ctx ended, and otherwise
// says what is wrong with the options. A call of o.Forgetter may still be under way when Follow returns.
func Follow(ctx context.Context, o Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	quiet()
	newFollower(ctx, o, usual).run(ctx)
	return nil
}

func (o Options) validate() error {
	if o.Address == "" || o.Channel == "" || o.Forgetter == nil || o.Log == nil {
		return errors.New("follow revocations: an address, a channel, a forgetter and a log are needed")
	}
	return nil
}
