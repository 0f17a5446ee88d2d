package envoy

import (
	"fmt"
	"syscall"
)

// OpenFiles lets all processes that this one starts have as many open files as they may, and says how many that is. Go does so for
// the program itself, and starts others with the limit that it found: 1,024 mostly, which 500 long polls use up.
func OpenFiles() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("limit of open files: raise it to %d: %w", limit.Max, err)
	}
	return limit.Max, nil
}

// Connections is how many clients an Envoy with so many open files can serve. Each takes one, and its request another one, to a
// worker; a fifth is left for everything else. An Envoy without a file for a worker takes that for dead, and its users move.
func Connections(files uint64) int {
	return int(min(files, 1<<30) * 2 / 5)
}
