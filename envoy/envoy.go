// Package envoy has to do with the Envoy binary and its static files: it finds the binary, writes the bootstrap that
// makes Envoy fetch the rest from Axon, lets Envoy judge a configuration before anything relies on it, and runs Envoy as
// a child that outlives a crash of Axon.
//
// The facts behind its choices were measured on the version in the file VERSION, the one that "make envoy" fetches.
package envoy

import (
	_ "embed" // for the file VERSION
	"strings"
)

//go:embed VERSION
var version string

// PinnedVersion is the Envoy that Axon is tested with, like "1.40.0".
func PinnedVersion() string { return strings.TrimSpace(version) }
