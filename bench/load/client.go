// Package load asks a proxy many questions at little cost: clients that send ready-made bytes over connections that stay
// open, and workers that answer at once with their names. What takes the time, and what is measured, is the proxy.
package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// Answer is what a proxy answered: the status, and the worker's name where a worker did.
type Answer struct {
	Status int
	Worker string
}

// answerLimit bounds the wait for one answer, so that a proxy which hangs fails a run and does not hang it.
const answerLimit = 30 * time.Second

// Send sends n requests over as many connections at once as it is told, each of which waits for one answer before it sends
// the next request. request gives the bytes of the i-th one, and is called by several goroutines. The error joins those of
// the connections.
func Send(address string, connections, n int, request func(i int) []byte) ([]Answer, error) {
	answers := make([]Answer, n)
	faults := make([]error, connections)
	var senders sync.WaitGroup
	for first := range connections {
		senders.Go(func() {
			faults[first] = sendEach(address, first, connections, request, answers)
		})
	}
	senders.Wait()
	return answers, errors.Join(faults...)
}

// sendEach sends every connections-th request, the first one first.
func sendEach(address string, first, connections int, request func(i int) []byte, answers []Answer) error {
	conn, err := net.DialTimeout("tcp", address, answerLimit)
	if err != nil {
		return err
	}
	defer conn.Close()
	from := bufio.NewReader(conn)
	for i := first; i < len(answers); i += connections {
		if err := conn.SetDeadline(time.Now().Add(answerLimit)); err != nil {
			return err
		}
		if _, err := conn.Write(request(i)); err != nil {
			return fmt.Errorf("request %d: %w", i, err)
		}
		if answers[i], err = read(from); err != nil {
			return fmt.Errorf("answer %d: %w", i, err)
		}
	}
	return nil
}

var workerHeader = []byte("x-worker:")

// read takes an answer off a connection.
func read(from *bufio.Reader) (a Answer, err error) {
	length, err := readMessage(from, func(line []byte) (err error) {
		switch {
		case a.Status == 0:
			a.Status, err = status(line)
		case beginsWith(line, workerHeader):
			a.Worker = string(bytes.TrimSpace(line[len(workerHeader):]))
		}
		return err
	})
	if err == nil && length < 0 {
		err = errors.New("an answer without content-length")
	}
	return a, err
}

func status(line []byte) (int, error) {
	fields := bytes.Fields(line)
	if len(fields) < 2 {
		return 0, fmt.Errorf("status line %q", line)
	}
	return strconv.Atoi(string(fields[1]))
}
