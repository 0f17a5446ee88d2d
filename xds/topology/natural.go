package topology

import (
	"cmp"
	"strings"
)

// naturally compares names with their numbers by value: sync-2 before sync-10.
func naturally(a, b string) int {
	whole := cmp.Compare(a, b)
	for a != "" && b != "" {
		x, y := chunk(a), chunk(b)
		a, b = a[len(x):], b[len(y):]
		order := cmp.Compare(x, y)
		if isDigit(x[0]) && isDigit(y[0]) {
			order = byValue(x, y)
		}
		if order != 0 {
			return order
		}
	}
	// sync-01 and sync-1 are equal by value.
	return cmp.Or(cmp.Compare(len(a), len(b)), whole)
}

// byValue compares numbers of any length.
func byValue(x, y string) int {
	x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y))
}

// chunk is the run of digits, or of anything else, that s begins with.
func chunk(s string) string {
	for i := range len(s) {
		if isDigit(s[i]) != isDigit(s[0]) {
			return s[:i]
		}
	}
	return s
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
