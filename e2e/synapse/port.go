package synapse

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports come from below the range that Linux gives to outgoing connections (32768 and up): a port stays free between
// its choice here and the moment when Synapse, seconds later, listens on it.
const (
	firstPort = 20000
	lastPort  = 32000
)

var handedOut = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// FreePort returns a port on the loopback address that nobody listens on, a different one at every call.
func FreePort() (int, error) {
	handedOut.Lock()
	defer handedOut.Unlock()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if handedOut.ports[port] {
			continue
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		handedOut.ports[port] = true
		return port, listener.Close()
	}
	return 0, errors.New("no free port on 127.0.0.1")
}
