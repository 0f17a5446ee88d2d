package table

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

var (
	openGroup  = regexp.MustCompile(`\(\?P<(\w+)>(?:\[[^\]]*\]|\.)[*+]\)`)
	otherGroup = regexp.MustCompile(`\(\?(?:P<\w+>|:)`)
)

// Readable is a pattern for people: {name} for one segment, no anchors, no escapes.
func Readable(regex string) string {
	path := openGroup.ReplaceAllString(strings.TrimSuffix(strings.TrimPrefix(regex, "^"), "$"), "{$1}")
	return strings.ReplaceAll(otherGroup.ReplaceAllString(path, "("), `\.`, ".")
}

// Paths are raw paths that match a pattern: all of its alternatives, optional parts with and without, and in each open
// place, one after the other, everything that values knows for it. An alternative that no path matches is an error.
func Paths(regex string) ([]string, error) {
	tree, err := syntax.Parse(regex, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", regex, err)
	}
	compiled := regexp.MustCompile(regex)
	var paths []string
	for _, s := range shapesOf(tree, "") {
		usual := s.with(-1, "")
		if !compiled.MatchString(usual) {
			return nil, fmt.Errorf("pattern %q: %q does not match; values wants something that does", regex, usual)
		}
		for _, path := range append([]string{usual}, s.spellings()...) {
			if compiled.MatchString(path) && !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	return paths, nil
}

// Examples are the usual paths of a pattern, one for each of its alternatives.
func Examples(regex string) ([]string, error) {
	tree, err := syntax.Parse(regex, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", regex, err)
	}
	var paths []string
	for _, s := range shapesOf(tree, "") {
		paths = append(paths, s.with(-1, ""))
	}
	return paths, nil
}

// shape is one way through a pattern: literals, and open places for which many things can stand.
type shape []part

// part is a literal, or an open place and the name of the group that it is in.
type part struct {
	literal string
	open    bool
	name    string
}

// with is the shape's path with a value at the i-th part, and the usual ones in the other open places.
func (s shape) with(i int, value string) string {
	var b strings.Builder
	for k, p := range s {
		switch {
		case !p.open:
			b.WriteString(p.literal)
		case k == i:
			b.WriteString(value)
		default:
			b.WriteString(values(p.name)[0])
		}
	}
	return b.String()
}

func (s shape) spellings() (paths []string) {
	for i, p := range s {
		if p.open {
			for _, value := range values(p.name)[1:] {
				paths = append(paths, s.with(i, value))
			}
		}
	}
	return paths
}

// shapesOf goes through a pattern's syntax. name is the innermost group's.
func shapesOf(tree *syntax.Regexp, name string) []shape {
	switch tree.Op {
	case syntax.OpLiteral:
		return []shape{{{literal: string(tree.Rune)}}}
	case syntax.OpCharClass:
		return runes(tree.Rune)
	case syntax.OpAnyCharNotNL:
		return []shape{{{literal: "."}}} // Synapse leaves the dots of org.matrix.msc3575 as they are
	case syntax.OpCapture:
		if tree.Name != "" {
			name = tree.Name
		}
		return shapesOf(tree.Sub[0], name)
	case syntax.OpStar:
		return []shape{{{open: true, name: name}}}
	case syntax.OpPlus:
		if name == "" {
			name = segment
		}
		return []shape{{{open: true, name: name}}}
	case syntax.OpQuest:
		return append([]shape{nil}, shapesOf(tree.Sub[0], name)...)
	case syntax.OpAlternate:
		var all []shape
		for _, sub := range tree.Sub {
			all = append(all, shapesOf(sub, name)...)
		}
		return all
	case syntax.OpConcat:
		return concat(tree.Sub, name)
	default: // the anchors
		return []shape{nil}
	}
}

func concat(trees []*syntax.Regexp, name string) []shape {
	all := []shape{nil}
	for _, tree := range trees {
		var longer []shape
		for _, s := range all {
			for _, next := range shapesOf(tree, name) {
				longer = append(longer, slices.Concat(s, next))
			}
		}
		all = longer
	}
	return all
}

// runes are the characters of a class, which the parser makes of alternatives like v1|v3.
func runes(ranges []rune) (all []shape) {
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			all = append(all, shape{{literal: string(r)}})
		}
	}
	return all
}
