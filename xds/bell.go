package xds

import "sync"

// bell wakes everybody who waits for it. The zero value is ready.
type bell struct {
	mu   sync.Mutex
	next chan struct{} // closed when it rings
}

// wait gives a channel that is closed when the bell rings next: take it before you look at what you wait for.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}
