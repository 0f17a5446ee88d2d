package xds

import (
	"context"
	"errors"
	"log/slog"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
)

// caches are two with one content, because go-control-plane orders the answers of a stream only in its ADS mode, and in that mode
// drops a state-of-the-world question for fewer names than there are, which is what Envoy asks for load assignments after it
// has refused a new cluster: no later change would reach it. So the ordered cache is for delta, where nothing is dropped, and
// the other gets its types one after the other.
type caches struct {
	delta, world cachev3.SnapshotCache
	sent         *cachev3.Snapshot // nil before the first
}

// oneForAll is the node hash: every Envoy gets the same.
type oneForAll struct{}

const everyNode = "all"

func (oneForAll) ID(*corev3.Node) string { return everyNode }

func newCaches(log *slog.Logger) caches {
	return caches{
		delta: cachev3.NewSnapshotCache(true, oneForAll{}, logger{log}),
		world: cachev3.NewSnapshotCache(false, oneForAll{}, logger{log}),
	}
}

// send gives a snapshot to all.
func (c *caches) send(snapshot *cachev3.Snapshot) error {
	ctx := context.Background() // a deadline would leave some Envoys unanswered
	errs := []error{c.delta.SetSnapshot(ctx, everyNode, snapshot)}
	if c.sent != nil { // the first is sent whole: types that are still missing would be answered with nothing
		mixed := &cachev3.Snapshot{Resources: c.sent.Resources}
		for _, t := range Types {
			of := cachev3.GetResponseType(typeURLs[t])
			mixed = &cachev3.Snapshot{Resources: mixed.Resources}
			mixed.Resources[of] = snapshot.Resources[of]
			errs = append(errs, c.world.SetSnapshot(ctx, everyNode, mixed))
		}
	}
	c.sent = snapshot
	return errors.Join(append(errs, c.world.SetSnapshot(ctx, everyNode, snapshot))...)
}
