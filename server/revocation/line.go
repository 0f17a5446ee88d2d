package revocation

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// kind says what a line means to a cache of identities.
type kind int

const (
	other    kind = iota // nothing
	position             // where a process stands: no row of its own lies between from and to
	token                // the end of a token
	user                 // all of a user's tokens are to be looked at again
	everyone             // an empty key: all entries of a cache that is about tokens
)

// line is one message of the channel, as far as it is about caches.
type line struct {
	kind kind
	// instance is the process whose row or position it is, empty for what is not about caches.
	instance string
	// from and to are the positions of a POSITION; a row has only to, and 0 inside of a batch, whose last row has it.
	from, to int64
	// key is the token or the user. It is a secret.
	key string
	// at is when it happened, in milliseconds since 1970 by the clock of the process.
	at int64
}

// errMalformed is all that is said about a line that cannot be read: it may hold a token.
var errMalformed = errors.New("malformed line")

// parse reads a line. Commands and streams that mean nothing here are not looked at, and no error.
func parse(text string) (line, error) {
	command, rest, _ := strings.Cut(text, " ")
	stream, rest, _ := strings.Cut(rest, " ")
	if stream != "caches" {
		return line{}, nil
	}
	instance, rest, _ := strings.Cut(rest, " ")
	l := line{instance: instance}
	var err error
	switch command {
	case "RDATA":
		err = l.row(rest)
	case "POSITION":
		err = l.position(rest)
	default:
		return line{}, nil
	}
	if err != nil || instance == "" {
		return line{}, errMalformed
	}
	return l, nil
}

func (l *line) position(rest string) error {
	from, to, _ := strings.Cut(rest, " ")
	var fromErr, toErr error
	l.kind = position
	l.from, fromErr = number(from)
	l.to, toErr = number(to)
	return errors.Join(fromErr, toErr)
}

// row reads "<position> [<cache>,<keys>,<time>]".
func (l *line) row(rest string) error {
	at, row, _ := strings.Cut(rest, " ")
	if at != "batch" {
		var err error
		if l.to, err = number(at); err != nil {
			return errMalformed
		}
	}
	name, ok := strings.CutPrefix(row, `["`)
	name, _, closed := strings.Cut(name, `"`)
	if !ok || !closed {
		return errMalformed
	}
	if read, ok := caches[name]; ok {
		return l.read(read, row)
	}
	return nil
}

// number leaves room to count on at both ends.
func number(text string) (int64, error) { return strconv.ParseInt(text, 10, 63) }

// read decodes the row of a cache that is about tokens. A row longer than known is a later Synapse's.
func (l *line) read(meaning func(keys []string) (kind, bool), row string) error {
	var columns []json.RawMessage
	if err := json.Unmarshal([]byte(row), &columns); err != nil || len(columns) < 3 {
		return errMalformed
	}
	var keys []string
	if err := errors.Join(json.Unmarshal(columns[1], &keys), json.Unmarshal(columns[2], &l.at)); err != nil {
		return errMalformed
	}
	if keys == nil {
		l.kind = everyone
		return nil
	}
	var ok bool
	if l.kind, ok = meaning(keys); !ok {
		return errMalformed
	}
	if l.kind != other {
		l.key = keys[0]
	}
	return nil
}

// caches are Synapse's caches that are about tokens, each with what its keys mean; false for keys that it cannot have.
var caches = map[string]func(keys []string) (kind, bool){
	"get_user_by_access_token": func(keys []string) (kind, bool) { return token, len(keys) == 1 && keys[0] != "" },
	"get_user_locked_status":   func(keys []string) (kind, bool) { return user, len(keys) == 1 && keys[0] != "" },
	"get_device": func(keys []string) (kind, bool) {
		if len(keys) == 2 {
			return other, true
		}
		return user, len(keys) == 1 && keys[0] != ""
	},
}
