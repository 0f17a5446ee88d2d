package main

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"axon/state"
)

// storing keeps on disk what Envoys accepted last. One goroutine uses it.
type storing struct {
	config   state.Config
	log      *slog.Logger
	failures prometheus.Counter
	last     string // what the file holds, without who wrote it when
	failed   string // the last error, which is logged once
}

func newStoring(config state.Config, log *slog.Logger, r prometheus.Registerer) *storing {
	s := &storing{config: config, log: log, failures: promauto.With(r).NewCounter(prometheus.CounterOpts{
		Name: "axon_state_write_failures_total", Help: "Accepted snapshots that could not be stored in state.dir.",
	})}
	var found storedSnapshot
	if content, err := config.Read(snapshotFile); err == nil && json.Unmarshal(content, &found) == nil {
		s.last = found.content()
	}
	return s
}

// content tells whether there is anything new to write; who wrote it when is not.
func (s storedSnapshot) content() string {
	s.Axon, s.Saved = "", time.Time{}
	content, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	return string(content)
}

// keep writes a deployment that Envoys accepted, unless that is what the file holds. Nothing depends on it but the next start.
func (s *storing) keep(d deployment) {
	if !s.config.Kept() || d.stored != nil {
		return
	}
	if err := s.write(d); err != nil {
		s.failures.Inc()
		if text := err.Error(); text != s.failed {
			s.failed = text
			s.log.Warn("the accepted snapshot is not stored: a start without synapse's files will not have it", "error", err)
		}
		return
	}
	s.failed = ""
}

func (s *storing) write(d deployment) error {
	next, err := newStoredSnapshot(d)
	if err != nil {
		return err
	}
	content := next.content()
	if content == s.last {
		return nil
	}
	next.Saved = time.Now().UTC().Truncate(time.Second)
	file, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := s.config.Write(snapshotFile, file); err != nil {
		return err
	}
	s.last = content
	s.log.Debug("snapshot stored", "version", next.Version)
	return nil
}
