package revocation

import (
	"context"
	"log/slog"
	"time"
)

// revoker has the forgetter do what lines say.
type revoker struct {
	ctx       context.Context // ends what is still to be repeated
	forgetter Forgetter
	timing    timing
	metrics   *metrics
	log       *slog.Logger
	positions *positions
	malformed bool // said so for this connection
}

// connected begins anew: nobody knows what was said before.
func (r *revoker) connected(settle bool) {
	r.positions, r.malformed = newPositions(), false
	r.flush("connected")
	if settle {
		r.after(r.timing.settling, func() { r.flush("settled") })
	}
}

// line does what one message of the channel asks for.
func (r *revoker) line(text string) {
	l, err := parse(text)
	if err != nil {
		r.metrics.events.WithLabelValues("malformed").Inc()
		if !r.malformed {
			r.malformed = true
			r.log.Warn("a line of synapse's caches stream cannot be read and is ignored: " +
				"is this a Synapse newer than axon knows? further ones are only counted")
		}
		return
	}
	r.metrics.events.WithLabelValues(kindNames[l.kind]).Inc()
	if l.instance != "" && r.positions.note(l) {
		r.log.Info("lines of a synapse process were lost on their way: forgetting all identities", "process", l.instance)
		r.twice(func() { r.flush("gap") })
	}
	if do := r.meaning(l); do != nil {
		r.twice(do)
		r.metrics.lag.Observe(max(0, time.Since(time.UnixMilli(l.at)).Seconds())) // two clocks may disagree
	}
}

// meaning is what a line asks the forgetter for; nil for nothing.
func (r *revoker) meaning(l line) func() {
	switch l.kind {
	case token:
		return func() { r.forgetter.Forget(l.key) }
	case user:
		return func() { r.forgetter.ForgetUser(l.key) }
	case everyone:
		return func() { r.flush("synapse") }
	default:
		return nil
	}
}

func (r *revoker) flush(reason string) {
	r.metrics.flushes.WithLabelValues(reason).Inc()
	r.forgetter.Flush()
}

// twice does something now and again later, see timing.
func (r *revoker) twice(do func()) {
	do()
	r.after(r.timing.again, do)
}

func (r *revoker) after(wait time.Duration, do func()) {
	time.AfterFunc(wait, func() {
		if r.ctx.Err() == nil {
			do()
		}
	})
}
