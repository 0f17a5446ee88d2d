package translate

import (
	"regexp/syntax"
	"strings"

	"axon/xds/plan"
)

// maxProgram is the size of an RE2 program that Envoy refuses to go beyond (re2.max_program_size.error_level). It could
// be raised in the bootstrap of an Envoy that is ours, but not in a mesh's.
const maxProgram = 100

// fitting is how many of the templates, at least one, go into one expression. The prefix is no part of RE2's program: see
// pathMatch.
func fitting(templates []plan.Template, prefix string) int {
	n := 1
	for n < len(templates) && programSize(union(templates[:n+1], prefix)) <= maxProgram {
		n++
	}
	return n
}

// programSize is at least the size of RE2's program for an expression. Go's syntax is RE2's, but its program is not:
// measured on Envoy 1.40, RE2 needs up to two instructions more for each negated class, because it works on bytes.
func programSize(expression string) int {
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return maxProgram + 1
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return maxProgram + 1
	}
	return len(program.Inst) + 2*strings.Count(expression, "[^")
}
