package envoy

import (
	"regexp"
	"strings"
	"sync"
	"time"
)

// A run of quick ends is told of after the first few, and again after as many more.
const quickEnds = 5

// A crashLoop counts how often Envoy ended soon after its start, one after the other.
type crashLoop struct {
	ends  int
	since time.Time
}

// ended counts an Envoy's end; one that had run for long ends the loop.
func (c *crashLoop) ended(started time.Time) {
	if time.Since(started) > longRun {
		*c = crashLoop{}
	}
	c.failed()
}

func (c *crashLoop) failed() {
	if c.ends == 0 {
		c.since = time.Now()
	}
	c.ends++
}

// complain says in one line what somebody who is woken up by it has to know.
func (s *Supervisor) complain(c *crashLoop, how string) {
	if c.ends == 0 || c.ends%quickEnds != 0 {
		return
	}
	words := s.tail.words.last()
	s.log.Error("envoy keeps ending: nothing is served", "times", c.ends, "within", time.Since(c.since).Round(time.Second),
		"likely_cause", likelyCause(how, words), "how", how, "last_words", strings.Join(words, " | "))
}

var causes = []struct {
	words *regexp.Regexp
	text  string
}{
	{regexp.MustCompile(`(?i)address already in use|in use by another process`), "another process has one of its addresses"},
	{regexp.MustCompile(`(?i)permission denied|operation not permitted`), "it may not open a port or a file: ports below 1024 take CAP_NET_BIND_SERVICE"},
	{regexp.MustCompile(`(?i)too many open files`), "its limit of open files is too low (LimitNOFILE= of the unit, ulimit -n)"},
	{regexp.MustCompile(`(?i)no space left`), "a disk is full"},
	{regexp.MustCompile(`(?i)out of memory|bad_alloc|cannot allocate memory`), "it gets no memory"},
	{regexp.MustCompile(`(?i)shared memory|domain socket`), "a hot restart's leftovers: set envoy.hot_restart to false, or remove /dev/shm/envoy_shared_memory_*"},
	{regexp.MustCompile(`(?i)error initializing|unable to parse|error adding|flag|argument`), "it refuses its bootstrap or flags: another version of Envoy than Axon knows?"},
	{regexp.MustCompile(`(?i)segmentation fault|caught aborted|assert failure|panic|signal: (segmentation|aborted|illegal)`), "a fault of this build of Envoy"},
	{regexp.MustCompile(`(?i)no such file|exec format error`), "its binary is missing or broken"},
	{regexp.MustCompile(`signal: killed`), "something kills it, perhaps the kernel for want of memory: see dmesg"},
}

// likelyCause reads how Envoy ended and what it said, the latest words first.
func likelyCause(how string, words []string) string {
	for i := len(words); i >= 0; i-- {
		text := how
		if i > 0 {
			text = words[i-1]
		}
		for _, c := range causes {
			if c.words.MatchString(text) {
				return c.text
			}
		}
	}
	return "unknown"
}

// lastWords keeps the last few warnings and errors of Envoy.
type lastWords struct {
	mu    sync.Mutex
	lines []string
}

// keptWords is their number, and longestWord what is kept of each in bytes.
const (
	keptWords   = 5
	longestWord = 300
)

func (w *lastWords) add(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(line) > longestWord {
		line = strings.ToValidUTF8(line[:longestWord], "") + "…"
	}
	w.lines = append(w.lines, line)
	if len(w.lines) > keptWords {
		w.lines = w.lines[1:]
	}
}

func (w *lastWords) last() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.lines...)
}
