package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

const (
	// notifyPause is between looks at what systemd is told.
	notifyPause = 500 * time.Millisecond
	// askTime is what our own servers and Envoy have to answer such a look.
	askTime = 2 * time.Second
	// longestStatus is what systemctl status shows on a line or two, in bytes.
	longestStatus = 240
)

// notifier tells systemd (sd_notify(3)) when Axon serves, reads its configuration again, ends, and that it is alive. Where there is
// no $NOTIFY_SOCKET it does nothing.
type notifier struct {
	door     *frontDoor
	watchdog time.Duration // systemd ends Axon after so long without a sign of life; 0: never
	mute     sync.Once     // one complaint is enough

	mu     sync.Mutex
	ready  bool
	status string
}

func newNotifier(f *frontDoor) *notifier {
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		f.log.Warn("systemd's watchdog is not served", "error", err)
	}
	return &notifier{door: f, watchdog: watchdog}
}

// send joins lines to a message.
func (n *notifier) send(lines ...string) (heard bool) {
	heard, err := daemon.SdNotify(false, strings.Join(lines, "\n"))
	if err != nil {
		n.mute.Do(func() { n.door.log.Warn("systemd can't be told", "error", err) })
	}
	return heard
}

// run goes on until served ends; ending ends when Axon is told to end.
func (n *notifier) run(served, ending context.Context) {
	if !n.send("STATUS=starting") {
		return
	}
	look := time.NewTicker(notifyPause)
	defer look.Stop()
	var alive <-chan time.Time
	if n.watchdog > 0 {
		tick := time.NewTicker(n.watchdog / 3)
		defer tick.Stop()
		alive = tick.C
	}
	for stopping := ending.Done(); ; {
		select {
		case <-served.Done():
			return
		case <-stopping:
			stopping = nil
			n.stop()
		case <-look.C:
			n.tell(served, ending)
		case <-alive:
			if err := n.door.alive(served); err != nil && served.Err() == nil {
				n.door.log.Error("axon does not answer itself: systemd's watchdog is left to run out", "error", err)
				continue
			}
			n.send(daemon.SdNotifyWatchdog)
		}
	}
}

func (n *notifier) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status = ""
	n.send(daemon.SdNotifyStopping, "STATUS=ending: requests under way have up to "+n.door.started.Envoy.Drain.String())
}

// tell says that Axon is ready, once, and how it is, whenever that has changed.
func (n *notifier) tell(served, ending context.Context) {
	fault := n.door.serves(served)
	if ending.Err() != nil {
		return
	}
	status := n.door.describe(fault)
	n.mu.Lock()
	defer n.mu.Unlock()
	var lines []string
	if fault == nil && !n.ready {
		n.ready = true
		lines = append(lines, daemon.SdNotifyReady)
	}
	if status != n.status {
		n.status = status
		lines = append(lines, "STATUS="+status)
	}
	if len(lines) > 0 {
		n.send(lines...)
	}
}

// reload says that the configuration is read again, until the function that it gives is called.
func (n *notifier) reload() (done func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.ready {
		return func() {}
	}
	n.send(daemon.SdNotifyReloading, strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.status = n.door.describe(nil)
		n.send(daemon.SdNotifyReady, "STATUS="+n.status)
	}
}

// serves says why clients are not served: nothing is published, or the Envoy that is ours has no listeners.
func (f *frontDoor) serves(ctx context.Context) error {
	if err := f.ready(); err != nil || f.envoy == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if err := f.envoy.Admin().Ready(ctx); err != nil {
		return errors.New("envoy does not serve; its log lines say why")
	}
	return nil
}

// describe puts a front door's state into one line.
func (f *frontDoor) describe(fault error) string {
	text := ""
	if t, _ := f.current(); t != nil {
		text = fmt.Sprintf("serving %d workers, snapshot %s", len(t.Workers), f.xds.State().Version)
	}
	if fault != nil {
		text = "not serving: " + fault.Error()
	}
	if err := f.lastReload().Err; err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		text += "; last reload refused: " + first
	}
	if len(text) > longestStatus {
		text = strings.ToValidUTF8(text[:longestStatus], "") + "…"
	}
	return text
}

// alive asks our own servers over their sockets, as their clients do: one that hangs, or has no more file descriptors, does
// not answer.
func (f *frontDoor) alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var faults []error
	for i, ask := range []func(context.Context, net.Addr) error{askHealth, askHealth, askHealthz} {
		ours := i == 0 && f.started.Authz.TLS.Certificate != "" // takes a client's certificate, which is Envoy's
		if l := f.listeners[i]; l != nil && !ours {
			faults = append(faults, ask(ctx, l.Addr()))
		}
	}
	return errors.Join(faults...)
}

func dialer(at net.Addr) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, at.Network(), at.String())
	}
}

func askHealth(ctx context.Context, at net.Addr) error {
	dial := dialer(at)
	connection, err := grpc.NewClient("passthrough:///axon", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx) }))
	if err != nil {
		return fmt.Errorf("health of %s: %w", at, err)
	}
	defer connection.Close()
	if _, err := healthv1.NewHealthClient(connection).Check(ctx, &healthv1.HealthCheckRequest{}); err != nil {
		return fmt.Errorf("health of %s: %w", at, err)
	}
	return nil
}

func askHealthz(ctx context.Context, at net.Addr) error {
	dial := dialer(at)
	client := &http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		DisableKeepAlives: true,
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://axon/healthz", nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("health of %s: %w", at, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("health of %s: %s", at, answer.Status)
	}
	return nil
}
