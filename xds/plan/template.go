package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Template is a set of paths in the notation of the route table:
//
//	{a,b}   one of these literals, which may hold slashes or be empty
//	*       one segment, not empty
//	**      everything that is left, also nothing; only at the end
//
// It is matched against the raw, percent-encoded path without its query, as Synapse matches it.
type Template struct {
	text  string
	parts []part
	regex *regexp.Regexp
	lead  []string // Prefixes, which most paths that do not match are told by
}

// part is a choice of literals, or one segment (of which a prefix may have taken the beginning), or the rest of the path.
type part struct {
	literals []string
	segment  bool
	begun    bool
	rest     bool
}

var templateTokens = regexp.MustCompile(`\{[^{}*]*\}|\*\*$|\*|[^{}*]+`)

// ParseTemplate reads a template. An error says what is wrong with it.
func ParseTemplate(text string) (Template, error) {
	t := Template{text: text}
	if !strings.HasPrefix(text, "/") {
		return t, fmt.Errorf("template %q: no leading slash", text)
	}
	if strings.Join(templateTokens.FindAllString(text, -1), "") != text {
		return t, fmt.Errorf("template %q: unbalanced braces", text)
	}
	if strings.Contains(strings.TrimSuffix(text, "**"), "**") {
		return t, fmt.Errorf("template %q: ** before the end", text)
	}
	for _, token := range templateTokens.FindAllString(text, -1) {
		t.parts = append(t.parts, parsePart(token))
	}
	t.regex, t.lead = regexp.MustCompile("^(?:"+t.Regex()+")$"), t.Prefixes()
	return t, nil
}

// Match says whether a raw path, without its query, is one of the template's.
func (t Template) Match(path string) bool {
	begins := func(prefix string) bool { return strings.HasPrefix(path, prefix) }
	return slices.ContainsFunc(t.lead, begins) && t.regex.MatchString(path)
}

func parsePart(token string) part {
	switch {
	case token == "**":
		return part{rest: true}
	case token == "*":
		return part{segment: true}
	case token[0] == '{':
		return part{literals: strings.Split(token[1:len(token)-1], ",")}
	default:
		return part{literals: []string{token}}
	}
}

// String gives the template as it was written.
func (t Template) String() string { return t.text }

// MarshalYAML shows a template as it was written.
func (t Template) MarshalYAML() (any, error) { return t.text, nil }

// Prefixes are the literals that paths of the template begin with, one for each choice of its leading braces.
func (t Template) Prefixes() []string {
	prefixes := []string{""}
	for _, p := range t.parts {
		if p.literals == nil {
			break
		}
		var longer []string
		for _, prefix := range prefixes {
			for _, literal := range p.literals {
				longer = append(longer, prefix+literal)
			}
		}
		prefixes = longer
	}
	return prefixes
}

// Regex is the template as an anchored RE2 expression over the path without its query.
func (t Template) Regex() string {
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.regex())
	}
	return b.String()
}

func (p part) regex() string {
	switch {
	case p.rest:
		return ".*"
	case p.begun:
		return "[^/]*"
	case p.segment:
		return "[^/]+"
	case len(p.literals) == 1:
		return regexp.QuoteMeta(p.literals[0])
	}
	quoted := make([]string, len(p.literals))
	for i, literal := range p.literals {
		quoted[i] = regexp.QuoteMeta(literal)
	}
	return "(?:" + strings.Join(quoted, "|") + ")"
}

// Under narrows the template to the paths that begin with prefix and with no longer one of its own Prefixes: none, one, or
// several templates that together match them.
func (t Template) Under(prefix string) []Template {
	afterLead := slices.IndexFunc(append(slices.Clone(t.parts), part{}), func(p part) bool { return p.literals == nil })
	var narrowed []Template
	for _, rest := range under(t.parts, prefix) {
		if len(rest) > len(t.parts)-afterLead && !slices.Contains(rest[0].literals, "") {
			continue // what is left begins with more of the leading literals
		}
		parts := append([]part{{literals: []string{prefix}}}, rest...)
		narrowed = append(narrowed, Template{text: t.text, parts: parts})
	}
	return narrowed
}

// under gives what is left of parts after a path's prefix was taken off, for each way to take it off.
func under(parts []part, prefix string) [][]part {
	if prefix == "" {
		return [][]part{parts}
	}
	if len(parts) == 0 {
		return nil
	}
	first, others := parts[0], parts[1:]
	switch {
	case first.rest:
		return [][]part{parts}
	case first.segment:
		return underSegment(others, prefix)
	}
	var all [][]part
	for _, literal := range first.literals {
		switch {
		case strings.HasPrefix(prefix, literal):
			all = append(all, under(others, prefix[len(literal):])...)
		case strings.HasPrefix(literal, prefix):
			all = append(all, append([]part{{literals: []string{literal[len(prefix):]}}}, others...))
		}
	}
	return all
}

// underSegment takes a whole segment off the prefix, or lets the segment go on where the prefix ends inside it.
func underSegment(others []part, prefix string) [][]part {
	segment, _, more := strings.Cut(prefix, "/")
	if !more {
		return [][]part{append([]part{{segment: true, begun: segment != ""}}, others...)}
	}
	if segment == "" {
		return nil
	}
	return under(others, prefix[len(segment):])
}

// Exact gives the only path of the template, if it has just one.
func (t Template) Exact() (string, bool) {
	path := ""
	for _, p := range t.parts {
		if len(p.literals) != 1 {
			return "", false
		}
		path += p.literals[0]
	}
	return path, true
}

// Prefix gives p where the template is the set of all paths that begin with p.
func (t Template) Prefix() (string, bool) {
	last := len(t.parts) - 1
	if last < 0 || !t.parts[last].rest {
		return "", false
	}
	return Template{parts: t.parts[:last]}.Exact()
}
