package identity

import (
	"encoding/binary"
	"errors"
	"time"
)

// verdict says what an entry means.
type verdict byte

const (
	found  verdict = iota // the user, for the very user_id asked for
	always                // the user, whatever user_id is asked for
	locked
	accountExpired
	forbidden
	expired
	inactive
	noAccess
	unknown // the last, because all others since locked are special cases of it
)

// entry is what is remembered of a token.
type entry struct {
	verdict
	identity Identity
	// epoch is when it was asked for, as endings count.
	epoch uint64
}

const (
	guest      = 1 << 7
	headerSize = 18 // end in Unix milliseconds (8), epoch (8), verdict and guest (1), length of the user ID (1)
)

var errTooLong = errors.New("user ID too long")

// encode is for an entry that ends then.
func (e entry) encode(end time.Time) ([]byte, error) {
	if len(e.identity.UserID) > maxUserID {
		return nil, errTooLong
	}
	b := make([]byte, headerSize, headerSize+len(e.identity.UserID)+len(e.identity.DeviceID))
	binary.BigEndian.PutUint64(b, uint64(end.UnixMilli()))
	binary.BigEndian.PutUint64(b[8:], e.epoch)
	b[16] = byte(e.verdict)
	if e.identity.Guest {
		b[16] |= guest
	}
	b[17] = byte(len(e.identity.UserID))
	b = append(b, e.identity.UserID...)
	return append(b, e.identity.DeviceID...), nil
}

// decode gives an entry that has not ended, and its end.
func decode(b []byte) (e entry, end time.Time, ok bool) {
	if len(b) < headerSize || len(b) < headerSize+int(b[17]) || verdict(b[16]&^guest) > unknown {
		return entry{}, time.Time{}, false
	}
	end = time.UnixMilli(int64(binary.BigEndian.Uint64(b)))
	if !time.Now().Before(end) {
		return entry{}, time.Time{}, false
	}
	text, user := string(b[headerSize:]), b[17]
	return entry{
		verdict:  verdict(b[16] &^ guest),
		identity: Identity{UserID: text[:user], DeviceID: text[user:], Guest: b[16]&guest != 0},
		epoch:    binary.BigEndian.Uint64(b[8:]),
	}, end, true
}
