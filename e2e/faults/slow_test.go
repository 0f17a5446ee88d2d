package faults

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"axon/e2e/faults/standin/ask"
)

// slowWorkers makes some workers take 3 s more for everything but health checks.
func slowWorkers(s *site, _ *window) {
	slow := map[string]time.Duration{}
	for _, name := range []string{"sync-1", "event-creator-1", "client-reader-2", "federation-1", writer} {
		slow[name] = 3 * time.Second
	}
	s.standins(ask.Faults{Slow: slow})
	time.Sleep(8 * time.Second)
	s.standins(ask.Faults{})
}

const (
	slowClients = 100
	slowBytes   = 1 << 20
	slowFor     = 8 * time.Second
)

// slowReaders sends requests byte by byte and reads long answers bit by bit; every one has to be served in the end.
func slowReaders(s *site, w *window) {
	var served atomic.Int64
	meanwhile(slowClients, func(i int) {
		n, err := s.trickle(fmt.Sprintf("slow%d", i))
		if err == nil && n == slowBytes {
			served.Add(1)
		}
	})
	w.note = fmt.Sprintf("%d of %d slow ones served", served.Load(), slowClients)
	if served.Load() != slowClients {
		w.faults = append(w.faults, "slow clients lost")
	}
}

// trickle takes half of slowFor to ask for a file, and half to read it.
func (s *site) trickle(id string) (int64, error) {
	c, err := net.DialTimeout("tcp", s.front, clientLimit)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
		return 0, err
	}
	request := fmt.Appendf(nil, "GET /_matrix/client/v1/media/download/%s/x?%s=%d&%s=%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n",
		serverName, ask.Bytes, slowBytes, ask.ID, id, serverName, s.users[0].native)
	for i := range request {
		if _, err := c.Write(request[i : i+1]); err != nil {
			return 0, err
		}
		time.Sleep(slowFor / 2 / time.Duration(len(request)))
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(c, 16), nil)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	const steps = 32
	var n int64
	for range steps {
		time.Sleep(slowFor / 2 / steps)
		read, err := io.CopyN(io.Discard, response.Body, slowBytes/steps)
		if n += read; err != nil {
			return n, err
		}
	}
	return n, nil
}

// connect opens connections that say nothing.
func (s *site) connect(n int) (clients []net.Conn) {
	for range n {
		if c, err := net.DialTimeout("tcp", s.front, time.Second); err == nil {
			clients = append(clients, c)
		}
	}
	return clients
}
