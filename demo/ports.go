package demo

import (
	"context"
	"fmt"
	"net"
)

// ports are those that somebody else will listen on.
type ports struct {
	front, axonAdmin, envoyAdmin int
	// replication ports stand in the files as an administrator has to write them; nobody listens there.
	mainReplication, writerReplication int
}

// freePorts asks the system for ports of 127.0.0.1 that are free now. All are held until the last is found, so that
// they differ.
func freePorts(ctx context.Context) (ports, error) {
	var p ports
	for _, port := range []*int{&p.front, &p.axonAdmin, &p.envoyAdmin, &p.mainReplication, &p.writerReplication} {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return ports{}, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }()
		*port = l.Addr().(*net.TCPAddr).Port
	}
	return p, nil
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
