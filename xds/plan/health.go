package plan

import (
	"errors"
	"fmt"
	"time"
)

// Health says how workers are watched. A zero field is the default.
type Health struct {
	// Interval is from one question to the next, Timeout how long an answer may take.
	Interval time.Duration `yaml:"interval,omitempty"`
	Timeout  time.Duration `yaml:"timeout,omitempty"`
}

// HealthConfig is the health section of axon.yaml; nil where it says nothing.
type HealthConfig struct {
	Interval *time.Duration `yaml:"interval"`
	Timeout  *time.Duration `yaml:"timeout"`
}

// Bounds of the health section: more often would be load, more seldom would be blind.
const (
	shortestCheck = 100 * time.Millisecond
	longestCheck  = 5 * time.Minute
)

func (c HealthConfig) health(fault at) (Health, error) {
	var h Health
	var faults []error
	read := func(to, from *time.Duration, key string) {
		switch {
		case from == nil:
		case *from < shortestCheck || *from > longestCheck:
			faults = append(faults, fault(fmt.Sprintf("health.%s: must be from %s to %s", key, shortestCheck, longestCheck), "health", key))
		default:
			*to = *from
		}
	}
	read(&h.Interval, c.Interval, "interval")
	read(&h.Timeout, c.Timeout, "timeout")
	return h, errors.Join(faults...)
}
