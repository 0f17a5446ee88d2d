package yamlfile

import "strconv"

// Position is a place in a file. Line and Column count from 1; a zero Line means the file as a whole, an empty File
// that the value was not read from a file (a default, or a flag).
type Position struct {
	File   string
	Line   int
	Column int
}

// String gives "file:line:column", or as much of it as is known.
func (p Position) String() string {
	s := p.File
	if p.Line > 0 {
		s += ":" + strconv.Itoa(p.Line)
		if p.Column > 0 {
			s += ":" + strconv.Itoa(p.Column)
		}
	}
	return s
}
