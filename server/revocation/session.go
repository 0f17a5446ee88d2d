package revocation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// errEnded: go-redis would dial again by itself, and nobody would know that lines are missing.
var errEnded = errors.New("the connection has ended")

// session connects, subscribes and follows until the connection ends or ctx does. It calls settled once it listens.
func (f *follower) session(ctx context.Context, settled func()) error {
	client := redis.NewClient(f.options())
	defer client.Close()
	channel := client.Subscribe(ctx)
	defer channel.Close()
	stop := context.AfterFunc(ctx, func() { _ = channel.Close() }) // go-redis does not look at ctx while it reads
	defer stop()

	if err := channel.Subscribe(ctx, f.Channel); err != nil {
		return err
	}
	if _, err := channel.ReceiveTimeout(ctx, answerLimit); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	settled()
	f.connected()
	ctx, end := context.WithCancel(ctx)
	defer end()
	go f.ping(ctx, channel)
	return f.listen(ctx, channel)
}

func (f *follower) listen(ctx context.Context, channel *redis.PubSub) error {
	for {
		received, err := channel.ReceiveTimeout(ctx, f.timing.silence)
		if err != nil {
			return err
		}
		if message, ok := received.(*redis.Message); ok {
			f.revoker.line(message.Payload)
		}
	}
}

// ping makes Redis say something now and then.
func (f *follower) ping(ctx context.Context, channel *redis.PubSub) {
	ticker := time.NewTicker(f.timing.pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = channel.Ping(ctx) // the silence that follows ends the session
		}
	}
}

// options are those of a client that connects once and says no more than it has to: a user of Redis may be allowed
// nothing but this channel.
func (f *follower) options() *redis.Options {
	o := &redis.Options{
		Network: "tcp", Addr: f.Address, TLSConfig: f.TLS,
		Protocol: 2, DisableIdentity: true,
		DialTimeout: answerLimit, ReadTimeout: answerLimit, WriteTimeout: answerLimit,
		DialerRetries: 1, MaxRetries: -1, PoolSize: 1,
		CredentialsProviderContext: f.credentials,
	}
	if path, ok := strings.CutPrefix(f.Address, "unix:"); ok {
		o.Network, o.Addr = "unix", path
	}
	dial, dialed := redis.NewDialer(o), false
	o.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dialed {
			return nil, errEnded
		}
		dialed = true
		return dial(ctx, network, address)
	}
	return o
}

func (f *follower) credentials(context.Context) (user, password string, err error) {
	if f.Credentials == nil {
		return "", "", nil
	}
	return f.Credentials()
}

// quiet keeps go-redis from writing to the standard error what Follow says better.
var quiet = sync.OnceFunc(func() { redis.SetLogger(silent{}) })

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
