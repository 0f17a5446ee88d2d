package xds

import (
	"context"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
)

// callbacks is what go-control-plane calls, synchronously: it turns both protocols into the same few events.
type callbacks struct {
	tracker    *tracker
	aggregated bool
}

// streamKey is needed whole: each server counts its own streams from one.
type streamKey struct {
	aggregated, delta bool
	id                int64
}

// request is what both protocols' requests have in common. A nonce makes it an answer, an error makes that a NACK; without an
// error it is an ACK. A state-of-the-world client repeats its last nonce when it only asks for other names.
type request struct {
	node    *corev3.Node // on the first request of a stream; nil or repeated on later ones
	url     string       // empty on a stream of one type
	nonce   string
	error   *statuspb.Status
	holding map[string]string // versions by name that a delta client brings from an earlier stream
}

func (c callbacks) sotw(id int64) streamKey  { return streamKey{c.aggregated, false, id} }
func (c callbacks) delta(id int64) streamKey { return streamKey{c.aggregated, true, id} }

// OnStreamOpen begins a state-of-the-world stream.
func (c callbacks) OnStreamOpen(ctx context.Context, id int64, url string) error {
	c.tracker.opened(ctx, c.sotw(id), url)
	return nil
}

// OnDeltaStreamOpen begins a delta stream.
func (c callbacks) OnDeltaStreamOpen(ctx context.Context, id int64, url string) error {
	c.tracker.opened(ctx, c.delta(id), url)
	return nil
}

// OnStreamClosed ends a state-of-the-world stream.
func (c callbacks) OnStreamClosed(id int64, _ *corev3.Node) { c.tracker.closed(c.sotw(id)) }

// OnDeltaStreamClosed ends a delta stream.
func (c callbacks) OnDeltaStreamClosed(id int64, _ *corev3.Node) { c.tracker.closed(c.delta(id)) }

// OnStreamRequest is a subscription, an ACK or a NACK. A NACK names the version that Envoy went back to; go-control-plane takes
// that for one who is behind and sends the refused version again at once, to be refused again, without end. So the request is
// made to name the refused version, and waits for the next.
func (c callbacks) OnStreamRequest(id int64, r *discoveryv3.DiscoveryRequest) error {
	refused, err := c.tracker.requested(c.sotw(id), request{
		node: r.GetNode(), url: r.GetTypeUrl(), nonce: r.GetResponseNonce(), error: r.GetErrorDetail(),
	})
	if refused != "" {
		r.VersionInfo = refused
	}
	return err
}

// OnStreamDeltaRequest is a subscription, an ACK or a NACK.
func (c callbacks) OnStreamDeltaRequest(id int64, r *discoveryv3.DeltaDiscoveryRequest) error {
	_, err := c.tracker.requested(c.delta(id), request{
		node: r.GetNode(), url: r.GetTypeUrl(), nonce: r.GetResponseNonce(), error: r.GetErrorDetail(),
		holding: r.GetInitialResourceVersions(),
	})
	return err
}

// OnStreamResponse is called before a state-of-the-world answer is sent.
func (c callbacks) OnStreamResponse(
	_ context.Context, id int64, _ *discoveryv3.DiscoveryRequest, r *discoveryv3.DiscoveryResponse,
) {
	c.tracker.responded(c.sotw(id), r.GetNonce(), sent{
		of: typeOf(r.GetTypeUrl()), version: r.GetVersionInfo(), count: len(r.GetResources()),
	})
}

// OnStreamDeltaResponse is called before a delta answer is sent.
func (c callbacks) OnStreamDeltaResponse(
	id int64, _ *discoveryv3.DeltaDiscoveryRequest, r *discoveryv3.DeltaDiscoveryResponse,
) {
	resources := map[string]string{}
	for _, resource := range r.GetResources() {
		resources[resource.GetName()] = resource.GetVersion()
	}
	c.tracker.responded(c.delta(id), r.GetNonce(), sent{
		of: typeOf(r.GetTypeUrl()), version: r.GetSystemVersionInfo(), resources: resources, removed: r.GetRemovedResources(),
	})
}

// OnFetchRequest and OnFetchResponse belong to polling over REST, which leaves no connection to account for.
func (c callbacks) OnFetchRequest(context.Context, *discoveryv3.DiscoveryRequest) error { return nil }

// OnFetchResponse does nothing.
func (c callbacks) OnFetchResponse(*discoveryv3.DiscoveryRequest, *discoveryv3.DiscoveryResponse) {}
