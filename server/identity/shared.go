package identity

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxWrites bounds the writes under way; what is beyond is not shared.
const maxWrites = 64

// The kinds of names. An entry is an encoded entry, sealed; the others are numbers of endings (see endings), which Redis
// counts for all Axons: an entry is void if a mark of its token, of its user or of everything is later.
const (
	sharedEntry byte = 'e'
	sharedToken byte = 't'
	sharedUser  byte = 'u'
	sharedAll   byte = 'a'
	sharedCount byte = 'n'
)

// moment is how many endings Redis had counted when a lookup began.
type moment int64

const (
	// never: it is not known, so that what comes of the lookup is not shared.
	never moment = -1
	// latest: it is to be asked when writing.
	latest moment = -2
)

// shared is what several Axons know together, in a Redis. It is asked before a resolver is, and waited for no longer than
// its time-out. A nil one knows nothing.
type shared struct {
	client  *redis.Client
	sealer  *sealer
	breaker *breaker
	timeout time.Duration
	// life is how long entries can live, and so how long marks have to.
	life   time.Duration
	writes chan struct{}
	under  sync.WaitGroup
	counts sharedCounts
}

// sharedAnswer is what was found.
type sharedAnswer struct {
	entry entry
	end   time.Time
	ok    bool
}

// get gives what is known of a token, and the moment at which a lookup now begins.
func (s *shared) get(ctx context.Context, r Request) (sharedAnswer, moment) {
	if s == nil {
		return sharedAnswer{}, never
	}
	var answer sharedAnswer
	var at moment
	err := s.breaker.do(func() (err error) {
		ctx, cancel := context.WithTimeout(ctx, s.timeout)
		defer cancel()
		answer, at, err = s.read(ctx, r)
		return err
	}, s.ping)
	s.counts.read(answer.ok, err)
	if err != nil {
		return sharedAnswer{}, never
	}
	return answer, at
}

func (s *shared) ping(ctx context.Context) error { return s.client.Ping(ctx).Err() }

// read looks for the entry that holds for every user_id first, as Cache.remembered does.
func (s *shared) read(ctx context.Context, r Request) (sharedAnswer, moment, error) {
	names := []string{
		s.sealer.name(sharedCount), s.sealer.name(sharedAll, ""), s.sealer.name(sharedToken, r.Token),
		s.sealer.name(sharedEntry, r.Token, ""), s.sealer.name(sharedEntry, r.Token, r.UserID),
	}
	values, err := s.client.MGet(ctx, names...).Result()
	if err != nil {
		return sharedAnswer{}, never, err
	}
	at := moment(count(values[0]))
	for i, value := range values[3:] {
		answer := s.opened(names[3+i], value)
		if !answer.ok || i == 0 && r.UserID != "" && answer.entry.verdict != always {
			continue
		}
		user, err := s.client.MGet(ctx, s.sealer.name(sharedUser, answer.entry.identity.UserID)).Result()
		if err != nil {
			return sharedAnswer{}, never, err
		}
		answer.ok = answer.entry.epoch >= max(count(values[1]), count(values[2]), count(user[0]))
		return answer, at, nil
	}
	return sharedAnswer{}, at, nil
}

// opened gives a user, if that is what a value is.
func (s *shared) opened(name string, value any) (a sharedAnswer) {
	text, ok := value.(string)
	if !ok {
		return sharedAnswer{}
	}
	plain, err := s.sealer.open(name, []byte(text))
	if err != nil {
		s.counts.invalid.Inc()
		return sharedAnswer{}
	}
	a.entry, a.end, a.ok = decode(plain)
	a.ok = a.ok && a.entry.verdict <= always && validUserID(a.entry.identity.UserID)
	return a
}

// count reads a number as Redis gives it; there is none yet where nothing has ended.
func count(value any) uint64 {
	text, _ := value.(string)
	n, _ := strconv.ParseUint(text, 10, 63)
	return n
}

// put shares a user in the background.
func (s *shared) put(r Request, e entry, life time.Duration, at moment) {
	if s == nil || at == never {
		return
	}
	select {
	case s.writes <- struct{}{}:
	default:
		s.counts.written(errBusyWriting)
		return
	}
	s.under.Go(func() {
		defer func() { <-s.writes }()
		s.counts.written(s.breaker.do(func() error { return s.write(r, e, life, at) }, s.ping))
	})
}

func (s *shared) write(r Request, e entry, life time.Duration, at moment) error {
	ctx, cancel := context.WithTimeout(s.breaker.base, s.timeout)
	defer cancel()
	if at == latest {
		n, err := s.client.MGet(ctx, s.sealer.name(sharedCount)).Result()
		if err != nil {
			return err
		}
		at = moment(count(n[0]))
	}
	if e.epoch = uint64(at); e.verdict == always {
		r.UserID = ""
	}
	plain, err := e.encode(time.Now().Add(life))
	if err != nil {
		return nil //nolint:nilerr // nobody has such a user ID; it is no fault of Redis
	}
	name := s.sealer.name(sharedEntry, r.Token, r.UserID)
	sealed, err := s.sealer.seal(name, plain)
	if err != nil {
		return err
	}
	return s.client.Set(ctx, name, sealed, life).Err()
}

// end voids what is shared of a token or a user, or all. It waits for Redis, but no longer than the time-out.
func (s *shared) end(kind byte, of string) {
	if s == nil {
		return
	}
	s.counts.ended(s.breaker.do(func() error {
		ctx, cancel := context.WithTimeout(s.breaker.base, s.timeout)
		defer cancel()
		n, err := s.client.Incr(ctx, s.sealer.name(sharedCount)).Result()
		if err != nil {
			return err
		}
		_, err = s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, s.sealer.name(kind, of), n, s.life)
			if kind == sharedToken {
				p.Del(ctx, s.sealer.name(sharedEntry, of, ""))
			}
			return nil
		})
		return err
	}, s.ping))
}

// close waits for the writes under way.
func (s *shared) close() error {
	if s == nil {
		return nil
	}
	s.under.Wait()
	return s.client.Close()
}
