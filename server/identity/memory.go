package identity

import (
	"os"
	"runtime/debug"
)

// largeMiB is from where on a cache decides how much memory the process takes.
const largeMiB = 256

// boundMemory keeps a process with a large cache near the size of that: Go's garbage collector would let as much garbage
// lie as there is living memory. What the entries stand in has no pointers, so that to collect more often costs little.
// $GOMEMLIMIT and $GOGC of the operator's win.
func boundMemory(sizeMiB int) {
	if sizeMiB >= largeMiB && os.Getenv("GOMEMLIMIT") == "" && os.Getenv("GOGC") == "" {
		debug.SetMemoryLimit(memoryLimit(sizeMiB))
	}
}

// memoryLimit is in bytes: the entries, an index of about 30 bytes for each, and what the rest of Axon needs.
func memoryLimit(sizeMiB int) int64 { return int64(sizeMiB)<<20*13/10 + 160<<20 }
