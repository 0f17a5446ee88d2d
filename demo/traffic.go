package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"axon/demo/standin"
)

const (
	// pace bounds all of the traffic to 20 requests a second, so that failing requests cannot become a flood.
	pace = 50 * time.Millisecond
	// longPoll is what real clients ask for; a stand-in answers sooner.
	longPoll = 30 * time.Second
	// mixers is how many requests of the mix can be under way at once.
	mixers = 4
)

// Traffic sends requests to a front door and keeps who landed where.
type Traffic struct {
	url     string
	devices []device
	pace    time.Duration // between two requests
	client  *http.Client
	tally   tally
}

// newTraffic is traffic of these devices to a front door at this URL (no slash at the end).
func newTraffic(url string, devices []device) *Traffic {
	return &Traffic{
		url: url, devices: devices, pace: pace, tally: tally{begun: time.Now(), stats: emptyStats(devices)},
		client: &http.Client{
			Timeout:       longPoll + 5*time.Second,
			Transport:     &http.Transport{MaxIdleConnsPerHost: len(devices) + mixers},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Run sends until ctx ends: each device polls as a client does, and the mix goes on beside that.
func (t *Traffic) Run(ctx context.Context) {
	defer t.client.CloseIdleConnections()
	pace := time.NewTicker(t.pace)
	defer pace.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, d := range t.devices {
		wg.Go(func() { t.poll(ctx, pace.C, d) })
	}
	for range mixers {
		wg.Go(func() {
			for wait(ctx, pace.C) {
				t.send(ctx, pick(t.devices))
			}
		})
	}
}

// wait gives false when ctx ended.
func wait(ctx context.Context, pace <-chan time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case <-pace:
		return ctx.Err() == nil
	}
}

// poll is what a client does all day: one initial sync, and incremental ones from there.
func (t *Traffic) poll(ctx context.Context, pace <-chan time.Time, d device) {
	since := ""
	for wait(ctx, pace) {
		r := initialSync(d)
		if since != "" {
			r = incrementalSync(d, since, int(longPoll.Milliseconds()))
		}
		if a := t.send(ctx, r); a.fault == "" {
			since = a.nextBatch
		}
	}
}

// send sends the request and tells the tally; what the end of ctx cuts off is not counted.
func (t *Traffic) send(ctx context.Context, r request) answer {
	a := t.do(ctx, r)
	if ctx.Err() == nil {
		t.tally.record(r, a)
	}
	return a
}

// answer is what came back. A fault never quotes the error of the HTTP client, which has the URL and with it a token.
type answer struct {
	worker    string
	fault     string // empty where all is well
	identity  string // the X-User-Identifier that arrived
	nextBatch string
}

func (t *Traffic) do(ctx context.Context, r request) answer {
	req, err := http.NewRequestWithContext(ctx, r.method, t.url+r.target, strings.NewReader(r.body))
	if err != nil {
		return answer{fault: "not a request"}
	}
	if r.authorization != "" {
		req.Header.Set("Authorization", r.authorization)
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return answer{fault: "no answer"}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return answer{fault: "half an answer"}
	}
	var next struct {
		NextBatch string `json:"next_batch"`
	}
	_ = json.Unmarshal(body, &next) // media is not JSON
	return answer{
		worker: resp.Header.Get(standin.WorkerHeader), identity: resp.Header.Get(standin.EchoUser),
		nextBatch: next.NextBatch, fault: faultOf(r, resp),
	}
}

// faultOf says what is wrong with an answer, or with what its echo says about the request on its way.
func faultOf(r request, resp *http.Response) string {
	worker, identity := resp.Header.Get(standin.WorkerHeader), resp.Header.Get(standin.EchoUser)
	arrived, _, _ := strings.Cut(resp.Header.Get(standin.EchoPath), "?")
	sent, _, _ := strings.Cut(r.target, "?")
	switch {
	case worker == "":
		return fmt.Sprintf("%d by no worker", resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return fmt.Sprintf("%d by %s", resp.StatusCode, worker)
	case arrived != sent:
		return "path changed on the way"
	case r.user != "" && identity != "" && identity != r.user:
		return "identity of another user"
	case resp.Header.Get(standin.EchoAffinity) != "":
		return "private header got to " + worker
	}
	return ""
}
