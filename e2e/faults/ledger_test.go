package faults

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"axon/e2e/faults/standin/ask"
)

// record is what became of a request, as its client saw it.
type record struct {
	id           string
	kind         *kind
	about        about
	began, ended time.Time // ended is zero while it is under way
	answer
	err error
}

// answer is the zero value where there was none.
type answer struct {
	status int
	worker string
	named  bool // whether it came to the worker with a user
}

func (r *record) ok() bool { return r.status == http.StatusOK && r.err == nil }

// seat is what has a worker of its own; "" where nothing has.
func (r *record) seat() string {
	if r.kind.together == nil {
		return ""
	}
	return r.kind.together(r.about)
}

func (r *record) String() string {
	return fmt.Sprintf("%s %s %s (%s…+%s): %d by %q, named: %t, %v", r.id, r.kind.method, r.kind.name, r.began.Format("05.000"),
		r.ended.Sub(r.began).Round(time.Millisecond), r.status, r.worker, r.named, r.err)
}

// done is what a process did with a request, as its journal says.
type done struct {
	life string
	mark ask.Mark
}

// ledger has both sides of every request.
type ledger struct {
	mu      sync.Mutex
	records []*record

	journals string
	read     map[string]int64 // how far each journal was read
	did      map[string][]done
}

func newLedger(journals string) *ledger {
	return &ledger{journals: journals, read: map[string]int64{}, did: map[string][]done{}}
}

func (l *ledger) begin(r *record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r)
}

func (l *ledger) finish(r *record, a answer, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.ended, r.answer, r.err = time.Now(), a, err
}

// during gives the requests that began in a span, once all of them have ended.
func (l *ledger) during(from, to time.Time) ([]record, error) {
	for end := time.Now().Add(clientLimit + pollFor); ; time.Sleep(20 * time.Millisecond) {
		if found, all := l.ended(from, to); all {
			return found, l.readJournals()
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("some requests have not ended after %s", clientLimit)
		}
	}
}

func (l *ledger) ended(from, to time.Time) (found []record, all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		if r.began.Before(from) || !r.began.Before(to) {
			continue
		}
		if r.ended.IsZero() {
			return nil, false
		}
		found = append(found, *r)
	}
	return found, true
}

// forget leaves only what began later: the rest is counted.
func (l *ledger) forget(to time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var later []*record
	for _, r := range l.records {
		if !r.began.Before(to) {
			later = append(later, r)
		}
	}
	l.records = later
}

// readJournals reads what has been added.
func (l *ledger) readJournals() error {
	files, err := filepath.Glob(filepath.Join(l.journals, "*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text = text[l.read[file]:]
		whole := bytes.LastIndexByte(text, '\n') + 1 // the rest of a line may yet come
		l.read[file] += int64(whole)
		for line := range strings.Lines(string(text[:whole])) {
			mark, id, _ := strings.Cut(strings.TrimSpace(line), " ")
			l.did[id] = append(l.did[id], done{filepath.Base(file), ask.Mark(mark)})
		}
	}
	return nil
}

// executions is how often a request had its effect.
func (l *ledger) executions(id string) (n int) {
	for _, d := range l.did[id] {
		if d.mark == ask.Executed {
			n++
		}
	}
	return n
}

// arrivedAt gives the processes that a request came to.
func (l *ledger) arrivedAt(id string) (lives []string) {
	for _, d := range l.did[id] {
		if d.mark == ask.Arrived {
			lives = append(lives, d.life)
		}
	}
	return lives
}
