package envoy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A logTail passes what Envoy writes to its log file on to Axon's log.
//
// It is a file, not a pipe: Envoy has to be able to write while no Axon reads. A blocking pipe that is full stops Envoy, and after
// one write to a full non-blocking pipe Envoy's C++ stream stays in its error state and the log is silent for ever (both
// seen on 1.40). What was read is punched out of the file, so that it takes no space, and the next Axon finds where
// the unread part begins.
type logTail struct {
	file    *os.File
	log     *slog.Logger
	offset  int64  // of what was not read yet
	rest    []byte // a line without its end
	punched int64  // up to here
	words   lastWords
}

const (
	logPause    = 100 * time.Millisecond // between looks at the file
	longestLine = 1 << 20                // bytes; a longer one is passed on in pieces
)

func openLog(file string, log *slog.Logger) (*logTail, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	t := &logTail{file: f, log: log}
	switch t.offset, err = unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA); {
	case errors.Is(err, unix.ENXIO): // no data: all was read
		t.offset, err = f.Seek(0, io.SeekEnd)
	case err != nil: // a file system without holes: begin again
		t.offset, err = 0, nil
	}
	t.punched = t.offset
	return t, err
}

// run reads until the context ends, and then what is there already.
func (t *logTail) run(ctx context.Context) {
	tick := time.NewTicker(logPause)
	defer tick.Stop()
	for {
		t.read(ctx)
		select {
		case <-ctx.Done():
			t.read(ctx)
			return
		case <-tick.C:
		}
	}
}

func (t *logTail) read(ctx context.Context) {
	buf := make([]byte, 64<<10)
	for {
		n, err := t.file.ReadAt(buf, t.offset)
		if n > 0 {
			t.offset += int64(n)
			t.emit(ctx, buf[:n])
			t.punch(t.offset - int64(len(t.rest)))
		}
		if err != nil || n == 0 {
			return
		}
	}
}

// punch frees what was passed on, up to the offset end. On a file system that cannot, the log grows, and is read twice after
// a crash of Axon.
func (t *logTail) punch(end int64) {
	if end <= t.punched {
		return
	}
	_ = unix.Fallocate(int(t.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, t.punched, end-t.punched)
	t.punched = end
}

func (t *logTail) emit(ctx context.Context, data []byte) {
	t.rest = append(t.rest, bytes.TrimLeft(data, "\x00")...) // the zeros are what is left of a line that was read before
	for {
		line, rest, ok := bytes.Cut(t.rest, []byte("\n"))
		if !ok {
			break
		}
		t.line(ctx, line)
		t.rest = rest
	}
	if len(t.rest) > longestLine {
		t.line(ctx, t.rest)
		t.rest = nil
	}
}

func (t *logTail) line(ctx context.Context, line []byte) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	r := record(string(line), time.Now())
	if r.Level >= slog.LevelWarn {
		t.words.add(r.Message)
	}
	if h := t.log.Handler(); h.Enabled(ctx, r.Level) {
		_ = h.Handle(ctx, r) // where should it be told
	}
}

func (t *logTail) close() error { return t.file.Close() }
