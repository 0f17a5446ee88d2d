package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

var (
	lengthHeader  = []byte("content-length:")
	chunkedHeader = []byte("transfer-encoding:")
)

// readMessage takes a request or an answer off a connection, gives each line of its head to a function, and the length of
// its body, -1 where no header says it: then there is none. It knows as much of HTTP/1.1 as Envoy uses between a client and
// a worker of this package, and takes a fraction of the time that net/http does.
func readMessage(from *bufio.Reader, each func(line []byte) error) (length int, err error) {
	length = -1
	for {
		line, err := from.ReadSlice('\n')
		if err != nil {
			return length, err
		}
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
			_, err = from.Discard(max(length, 0))
			return length, err
		case beginsWith(line, chunkedHeader):
			err = errors.New("a message in chunks")
		case beginsWith(line, lengthHeader):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(lengthHeader):]))); err != nil {
				err = fmt.Errorf("content-length: %w", err)
			}
		default:
			err = each(line)
		}
		if err != nil {
			return length, err
		}
	}
}

// beginsWith is for header names, in any case.
func beginsWith(line, name []byte) bool {
	return len(line) >= len(name) && bytes.EqualFold(line[:len(name)], name)
}
