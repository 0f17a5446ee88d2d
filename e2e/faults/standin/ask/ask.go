// Package ask is what the fault suite and its stand-in processes say to each other.
package ask

import (
	"time"

	"axon/demo/standin"
)

// Query parameters of marked requests.
const (
	ID    = "fault_id"    // names the request
	Bytes = "fault_bytes" // asks for an answer of so many bytes
)

// Config is the file that a stand-in process is started with.
type Config struct {
	Worker  standin.Config
	Address string        // where it serves, host:port
	Work    time.Duration // how long each marked request takes
	Journal string        // the file of what it did, a line for each Mark
	Faults  string        // the file of the faults that are on; it need not be there
}

// A Mark is the first word of a line of the journal; the second is the request's ID.
type Mark string

// The marks of a request, in their order.
const (
	Arrived  Mark = "arrived"
	Executed Mark = "executed"
)

// Faults are what the stand-ins do wrong at the moment, all of them alike.
type Faults struct {
	Whoami string
	Slow   map[string]time.Duration // by the worker's name, on top of Work
}

// The ways in which whoami fails.
const (
	Hangs   = "hangs"
	Late    = "late" // by 3 s
	Fails   = "500"
	Refuses = "401"
	Garbage = "garbage"
)
