// Package standin is a stand-in for one Synapse process: an HTTP server that answers as Synapse does wherever a front
// door can tell the difference, and {} everywhere else. It is no part of the product: the demonstration and the tests
// put stand-ins where a real deployment has workers, because real ones need PostgreSQL, Redis and half a minute.
//
// What it takes from the real thing (Synapse 1.163, docs/workers.md and rest/ of its source):
//
//   - it knows every user's tokens, as all processes of a homeserver do, and answers whoami;
//   - a process answers 404 for what its listener's resources or its kind do not let it serve;
//   - a process that is not the writer of a strict stream answers 500;
//   - an incremental sync is held until its timeout, because nothing ever happens.
//
// Every answer names the process in X-Worker and echoes what arrived in the X-Echo headers, so that a test behind a
// proxy sees both where a request landed and what was done to it on the way.
package standin

import "time"

// The headers of an answer. An echo header is absent where the request had nothing to echo.
const (
	WorkerHeader       = "X-Worker"
	EchoPath           = "X-Echo-Path"          // the request target as it arrived, byte for byte
	EchoUser           = "X-Echo-User"          // X-User-Identifier
	EchoForwardedFor   = "X-Echo-Forwarded-For" // X-Forwarded-For
	EchoAffinity       = "X-Echo-Affinity"      // x-axon-affinity, which must never get this far
	forwardedFor       = "X-Forwarded-For"
	userIdentifier     = "X-User-Identifier"
	privateAffinityKey = "X-Axon-Affinity"
)

// Main is the name of the main process: it serves what no worker does, and writes the streams that nobody else writes.
const Main = "main"

// The resources of a listener that matter here.
const (
	Client     = "client"
	Federation = "federation"
	Media      = "media"
	Keys       = "keys"
)

// Config says which process a stand-in stands for.
type Config struct {
	// Name is the worker's name; Main is the main process.
	Name string
	// Network is tcp (default) or unix; Address is where to listen, by default a free port of 127.0.0.1.
	Network, Address string
	// Resources are those of the process's only listener.
	Resources []string
	// MediaRepo says whether the process loads the media repository (enable_media_repo).
	MediaRepo bool
	// Writers are stream_writers; a stream without an entry is written by main.
	Writers map[string][]string
	// Tokens gives the user ID of each access token. It is shared by the processes of a homeserver and never changed.
	Tokens map[string]string
	// LongPoll bounds how long an incremental sync is held, whatever it asks for. Default 2 s.
	LongPoll time.Duration
}
